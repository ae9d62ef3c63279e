"""Which data sets of the Hugging Face Hub the benchmarks here need."""

from __future__ import annotations

from evaluation.benchmarks.gsm8k import task as gsm8k
from evaluation.benchmarks.lcb import releases as lcb
from evaluation.benchmarks.mbpp import data as mbpp
from evaluation.benchmarks.mmlu import task as mmlu
from evaluation.data.hub_data import HubData


def benchmarks_hub_data() -> dict[str, tuple[HubData, ...]]:
    """By benchmark: each of its files, as the benchmark asks for it by default."""
    files = {
        gsm8k.NAME: (gsm8k.REPOSITORY, (gsm8k.FILE,)),
        "lcb": (lcb.REPOSITORY, lcb.release_files(lcb.DEFAULT_RELEASE)),
        "mbpp": (mbpp.REPOSITORY, (mbpp.FILE.format(subset="full"), mbpp.FILE.format(subset="sanitized"))),
        mmlu.NAME: (mmlu.REPOSITORY, (mmlu.TEST, mmlu.DEV)),
    }
    return {
        name: tuple(HubData(repository, files=(file,)) for file in some)
        for name, (repository, some) in files.items()
    }
