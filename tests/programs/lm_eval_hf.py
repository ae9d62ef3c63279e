"""lm-eval's own scores of rows by its `hf` model, in single precision: lm_eval_hf.py TOOLS MODEL.gguf TASK.yaml ROWS.

Runs in vLLM's environment, which has torch, with lm-eval from the packages of the other tools (TOOLS: their folder).
MODEL.gguf is dequantised. Prints, as JSON, the metrics, and for each row the log-likelihood of each continuation and
whether it is greedy.
"""

import json
import sys
from pathlib import Path


def main(tools: str, model: Path, task: str, rows: Path) -> None:
    sys.path.append(tools)  # behind its own: what both have is vLLM's
    import datasets
    import lm_eval
    import torch
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks._yaml_loader import load_yaml

    torch.set_num_threads(1)
    config = load_yaml(Path(lm_eval.__file__).parent / "tasks" / task, resolve_func=True)
    data = datasets.Dataset.from_list([json.loads(line) for line in rows.read_text().splitlines()])
    config["custom_dataset"] = lambda **_: datasets.DatasetDict(train=data, validation=data)
    served = HFLM(
        pretrained=str(model.parent), gguf_file=model.name, dtype="float32", device="cpu", batch_size=1
    )
    done = lm_eval.simple_evaluate(
        model=served, tasks=[ConfigurableTask(config=config)], bootstrap_iters=0, log_samples=True
    )
    (metrics,) = done["results"].values()
    (samples,) = done["samples"].values()
    scored = {
        each["doc_id"]: [[float(value), str(greedy) == "True"] for ((value, greedy),) in each["resps"]]
        for each in samples
    }
    found = {name.partition(",")[0]: value for name, value in metrics.items() if isinstance(value, float)}
    print(json.dumps({"metrics": found, "rows": [scored[number] for number in sorted(scored)]}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
