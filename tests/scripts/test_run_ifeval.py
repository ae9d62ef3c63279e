"""IFEval by lm-eval: what is refused before it starts, what is said where it fails, and a real run of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import bench_runner, logged, only_run
from tests.scripts.test_run_mbpp import answering

ROOT = Path(__file__).parents[2]
# ruff: noqa: E501 - rows, as they are written
# In the format of google/IFEval: one that is followed, one of which half is, one that is only followed loosely.
ROWS = [
    {"key": 1, "prompt": "Without commas: is water wet?", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
    {
        "key": 2,
        "prompt": "Write a line in lower case without commas.",
        "instruction_id_list": ["change_case:english_lowercase", "punctuation:no_comma"],
        "kwargs": [{}, {}],
    },
    {
        "key": 3,
        "prompt": "Mention sea and moon, without commas.",
        "instruction_id_list": ["keywords:existence", "punctuation:no_comma"],
        "kwargs": [{"keywords": ["sea", "moon"]}, {}],
    },
]  # fmt: skip
ANSWERS = {
    "water": "Yes it is.",
    "lower case": "this is lower case, really",
    "sea": "Well, yes:\nthe sea and the moon",
}


def dataset(folder, rows=ROWS):
    path = folder / "ifeval.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(folder, *options, code=0, env=None):
    """Its last event and what it said."""
    words = ("--base-url", "http://127.0.0.1:9", "--model", "m", "--output", folder / "out", *options)
    done = subprocess.run(
        [sys.executable, "-m", "scripts.lm_eval.run_ifeval", *map(str, words)],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
        env={**os.environ, "PATH": "/usr/bin:/bin", **(env or {})},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture
def lm_eval(tmp_path):
    """A program of that name, with packages of these names beside its Python, and what it does."""

    def make(body, *, without=""):
        packages = tmp_path / "packages"
        for name in (
            "lm_eval",
            "langdetect",
            "immutabledict",
            "nltk",
            "aiohttp",
            "tenacity",
            "tqdm",
            "requests",
        ):
            if name != without:
                (packages / name).mkdir(parents=True)
                (packages / name / "__init__.py").touch()
        (packages / "lm_eval-0.4.13.dist-info").mkdir()
        (packages / "lm_eval-0.4.13.dist-info" / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: lm_eval\nVersion: 0.4.13\n"
        )
        program = tmp_path / "lm_eval"
        python = tmp_path / "python"  # which sees these packages only
        python.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys._base_executable} -S "$@"\n')
        program.write_text(f"#!{python}\n{body}\n")
        for path in (python, program):
            path.chmod(0o755)
        return program

    return make


def test_where_lm_eval_is_missing_it_says_how_to_install_it(tmp_path):
    error, _ = run(tmp_path, "--check", code=4)
    assert error["message"].startswith("lm-eval is not installed")
    assert "pip install 'lm_eval[api,ifeval]==0.4.13'" in error["hint"]
    assert "--lm-eval ~/tools/bin/lm_eval" in error["hint"]
    done = bench_runner("run", "--benchmark", "ifeval", "--base-url", "http://127.0.0.1:9", "--results-dir", tmp_path,
                        env={"PATH": "/usr/bin:/bin"})  # fmt: skip
    assert done.code == 4
    assert "lm-eval is not installed" in done.err
    assert not list(tmp_path.glob("*ifeval*"))


def test_a_part_that_is_missing_is_named(tmp_path, lm_eval):
    program = lm_eval("", without="langdetect")
    error, _ = run(tmp_path, "--check", "--lm-eval", program, code=4)
    assert error["message"] == f"{tmp_path / 'python'} has no langdetect"
    assert error["hint"].startswith(f"{tmp_path / 'python'} -m pip install")
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "lm_eval").touch()
    error, _ = run(tmp_path, "--check", "--lm-eval", tmp_path / "alone" / "lm_eval", code=2)
    assert "is not lm-eval's program" in error["message"]


def test_its_settings_are_those_of_the_run(tmp_path, lm_eval):
    program = lm_eval("import sys, json; print(json.load(open(sys.argv[3]))['tasks'][0])")
    _, said = run(
        tmp_path, "--lm-eval", program, "--dataset", dataset(tmp_path), "--limit", 2, "--max-tokens", 77, "--seed", 5,
        "--temperature", 0.5, "--top-k", 3, "--system-prompt", "Be, short", "--concurrency", 2,
        "--chat-template-kwargs", '{"enable_thinking": false}', "--request-timeout", 50,
    )  # fmt: skip
    assert said.splitlines()[-1] == "ifeval"
    found = json.loads((tmp_path / "out" / "lm_eval.json").read_text())
    assert found["gen_kwargs"] == {
        "temperature": 0.5, "top_k": 3, "max_gen_toks": 77, "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip
    assert (found["model"], found["apply_chat_template"]) == ("local-chat-completions", True)
    assert found["model_args"] == {
        "model": "m", "base_url": "http://127.0.0.1:9/v1/chat/completions", "num_concurrent": 2, "max_retries": 5,
        "timeout": 50, "seed": 5,
    }  # fmt: skip
    assert (found["limit"], found["system_instruction"]) == (2, "Be, short")
    run(tmp_path, "--lm-eval", program, "--prompt-style", "completion")
    found = json.loads((tmp_path / "out" / "lm_eval.json").read_text())
    assert (found["model"], found["apply_chat_template"]) == ("local-completions", False)
    assert found["model_args"]["base_url"].endswith("/v1/completions")
    assert (found["gen_kwargs"]["max_gen_toks"], "limit" in found) == (1280, False)


def test_its_end_is_told_with_its_last_words(tmp_path, lm_eval):
    program = lm_eval(
        "print('Requesting API:  50%|xx  | 1/2 [00:01<00:01]'); raise SystemExit('no such task')"
    )
    error, said = run(tmp_path, "--lm-eval", program, code=4)
    assert error["message"] == "lm-eval ended with exit code 1: no such task"
    assert "1/2" in said


def test_a_provider_is_asked_with_its_key_which_is_written_nowhere(tmp_path, lm_eval):
    program = lm_eval("import os; print('the key is', os.environ['OPENAI_API_KEY'][::-1])")
    words = ("--lm-eval", program, "--provider", "openrouter", "--base-url", "")
    _, said = run(tmp_path, *words, env={"OPENROUTER_API_KEY": "secret-1"})
    assert "the key is 1-terces" in said
    text = (tmp_path / "out" / "lm_eval.json").read_text()
    assert "secret" not in text
    found = json.loads(text)
    assert found["model_args"]["base_url"] == "https://openrouter.ai/api/v1/chat/completions"
    run(tmp_path, *words[:3], "openai", *words[4:], env={"OPENAI_API_KEY": "secret-2"})
    found = json.loads((tmp_path / "out" / "lm_eval.json").read_text())
    assert found["model"] == "openai-chat-completions"  # which calls the limit max_completion_tokens


def test_lm_eval_ends_with_its_run(tmp_path, lm_eval):
    """It has a process of its own, which would go on asking the server."""
    program = lm_eval("import os, time; print('I am', os.getpid(), flush=True); time.sleep(600)")
    words = [
        "--base-url",
        "http://127.0.0.1:9",
        "--model",
        "m",
        "--output",
        tmp_path / "out",
        "--lm-eval",
        program,
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.lm_eval.run_ifeval", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    ) as script:  # fmt: skip
        said = next(line for line in script.stderr if line.startswith("I am"))
        script.send_signal(signal.SIGTERM)
        script.communicate(timeout=60)
    assert script.returncode == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.split()[2]), 0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--n-samples", 2), "--n-samples does not apply to ifeval"),
        (("--shuffle", 2), "--shuffle does not apply to ifeval"),
        (("--thinking-budget", 2), "--thinking-budget does not apply to ifeval"),
        (("--provider-params", '{"a": 1}'), "--provider-params does not apply to ifeval"),
        (("--cache",), "--cache does not apply to ifeval"),
        (("--max-cost", 1), "--max-cost does not apply to ifeval"),
        (("--provider", "anthropic"), "lm-eval can't ask Anthropic"),
        (("--rejudge", "."), "can't be judged again"),
    ],
)
def test_what_lm_eval_can_not_be_told_is_refused(tmp_path, options, said):
    error, _ = run(tmp_path, *options, code=2)
    assert said in error["message"]
    assert error["hint"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**ROWS[0], "kwargs": []}, ":1: 1 instructions and 0 kwargs"),
        ({"key": 1, "prompt": "x"}, ":1: Object missing required field `instruction_id_list`"),
        ({**ROWS[0], "kwargs": {}}, ":1: Expected `array`"),
    ],
)
def test_bad_rows_are_refused(tmp_path, row, said):
    error, _ = run(tmp_path, "--check", "--dataset", dataset(tmp_path, [row]), code=2)
    assert said in error["message"]


@pytest.mark.tools
def test_a_real_run_of_lm_eval(tmp_path):
    """Counted by hand from the answers: prompts 1 strict and 2 loose of 3, instructions 3 strict and 4 loose of 5."""
    program = Path(os.environ["TOOLS_PYTHON"]).with_name("lm_eval")
    results = tmp_path / "results"
    words = (
        "run",
        "--benchmark",
        "ifeval",
        "--lm-eval",
        program,
        "--dataset",
        dataset(tmp_path),
        "--results-dir",
        results,
    )
    with answering(tmp_path, ANSWERS) as url:
        env = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
        done = bench_runner(*words, "--base-url", url, env=env, timeout=300)
    assert done.code == 0, done.err
    (record,) = logged(results)
    score = record["score"]
    assert record["benchmark"] == "ifeval"
    assert (score["score"], score["samples"]) == (pytest.approx(100 / 3), 3)
    assert {name: metric["value"] for name, metric in score["metrics"].items()} == pytest.approx({
        "score": 1 / 3,
        "ifeval prompt_level_strict_acc": 1 / 3,
        "ifeval inst_level_strict_acc": 3 / 5,
        "ifeval prompt_level_loose_acc": 2 / 3,
        "ifeval inst_level_loose_acc": 4 / 5,
    })  # fmt: skip
    assert list(only_run(results).rglob("samples_ifeval_*.jsonl"))
