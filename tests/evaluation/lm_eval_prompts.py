"""What lm-eval's own code asks of the rows in `suite_rows`, for the shipped suites that follow one of its tasks.

`.tools/bin/python tests/evaluation/lm_eval_prompts.py` prints that as JSON: for each task of a suite and each of its
rows the contexts without and, of all but the last row, with that one as an example, the continuations, and the right
one. It is kept in `fixtures/lm_eval_prompts.json`.
"""

from __future__ import annotations

import contextlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
ROWS = HERE / "suite_rows"
FIXTURE = HERE / "fixtures" / "lm_eval_prompts.json"
TASKS = {
    "glue/cola": "glue/cola/default.yaml",
    "glue/sst2": "glue/sst2/default.yaml",
    "glue/mrpc": "glue/mrpc/default.yaml",
    "glue/qqp": "glue/qqp/default.yaml",
    "glue/mnli": "glue/mnli/default.yaml",
    "glue/qnli": "glue/qnli/default.yaml",
    "glue/rte": "glue/rte/default.yaml",
    "glue/wnli": "glue/wnli/default.yaml",
    "superglue/boolq": "super_glue/boolq/default.yaml",
    "superglue/cb": "super_glue/cb/default.yaml",
    "superglue/copa": "super_glue/copa/default.yaml",
    "superglue/multirc": "super_glue/multirc/default.yaml",
    "superglue/record": "super_glue/record/default.yaml",
    "superglue/rte": "super_glue/rte/default.yaml",
    "superglue/wic": "super_glue/wic/default.yaml",
    "superglue/wsc": "super_glue/wsc/default.yaml",
    "ai2_arc/easy": "arc/arc_easy.yaml",
    "ai2_arc/challenge": "arc/arc_challenge.yaml",
    "hellaswag/hellaswag": "hellaswag/hellaswag.yaml",
    "truthful_qa/mc1": "truthfulqa/truthfulqa_mc1.yaml",
    "truthful_qa/mc2": "truthfulqa/truthfulqa_mc2.yaml",
    "medical/medqa": "medqa/medqa.yaml",
    "medical/medmcqa": "medmcqa/medmcqa.yaml",
    "medical/pubmedqa": "pubmedqa/pubmedqa.yaml",
    "cnn_dailymail/cnn_dailymail": "cnn_dailymail/cnn_dailymail.yaml",
}


def _recorded():
    import lm_eval

    for name in ("transformers.data", "transformers.data.metrics", "transformers.data.metrics.squad_metrics"):
        sys.modules.setdefault(
            name, ModuleType(name)
        )  # imported for ReCoRD's metrics, which aren't asked for
    folder = Path(lm_eval.__file__).parent / "tasks"
    with contextlib.redirect_stdout(sys.stderr):  # some modules print warnings
        asked = {name: _asked(folder / file, ROWS / f"{name}.jsonl") for name, file in TASKS.items()}
    return {"lm_eval": version("lm_eval"), "tasks": asked}


def _asked(path, file):
    """For each row: contexts, continuations (of a text that is written: none) and the right one."""
    import datasets
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(path, resolve_func=True)
    docs = [json.loads(line) for line in file.read_text().splitlines()]
    rows = datasets.Dataset.from_list(docs)
    splits = dict.fromkeys(("validation", "validation_matched", "test"), rows)
    splits["train"] = datasets.Dataset.from_list(docs[-1:])
    if config["output_type"] == "multiple_choice":
        config.pop("process_results", None)
        config["metric_list"] = [{"metric": "acc"}]  # others need scikit-learn
    else:
        config["metric_list"] = [{"metric": "exact_match"}]
    config["custom_dataset"] = lambda **_: datasets.DatasetDict(splits)
    config["fewshot_config"] = {"sampler": "first_n"}
    task = ConfigurableTask(config=config)
    found = []
    for number, doc in enumerate(task.eval_docs):
        shots = (0, 1) if task.has_training_docs() and number < len(docs) - 1 else (0,)
        contexts = [task.fewshot_context(doc, count) for count in shots]
        requests = task.construct_requests(doc, contexts[0], metadata=("", number, 1))
        choices = [each.args[1] for each in requests] if isinstance(requests, list) else []
        found.append({"contexts": contexts, "choices": choices, "target": task.doc_to_target(doc)})
    return found


if __name__ == "__main__":
    recorded = _recorded()
    print(json.dumps(recorded, indent=1, ensure_ascii=False))
