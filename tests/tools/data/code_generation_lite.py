"""LiveCodeBench's loading script in small: `datasets` runs it for livecodebench/code_generation_lite, and asks by
release. The problems are those of tests/tools/problems.py, in the file beside it.
"""

import json
from pathlib import Path

import datasets

FIELDS = (
    "question_title question_content platform question_id contest_id contest_date starter_code difficulty"
    " public_test_cases private_test_cases metadata"
)


class Release(datasets.BuilderConfig):
    def __init__(self, *, version_tag="release_latest", **others):
        super().__init__(name=version_tag, **others)


class CodeGenerationLite(datasets.GeneratorBasedBuilder):
    BUILDER_CONFIG_CLASS = Release

    def _info(self):
        text = datasets.Value("string")
        return datasets.DatasetInfo(features=datasets.Features(dict.fromkeys(FIELDS.split(), text)))

    def _split_generators(self, downloads):
        file = downloads.download_and_extract("test.jsonl")
        return [datasets.SplitGenerator(datasets.Split.TEST, {"file": file})]

    def _generate_examples(self, file):
        for number, line in enumerate(Path(file).read_text().splitlines()):
            yield number, json.loads(line)
