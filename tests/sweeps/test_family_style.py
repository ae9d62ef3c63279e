"""The quantisations of one model are asked in one style, so that they are comparable."""

from __future__ import annotations

import json
import subprocess
import threading

import pytest

from engines.model_family import base_name
from results.store.family_styles import FamilyStyle, FamilyStyles
from sweeps.preflight.families import template_warnings
from tests.command_line import PROGRAM, bench_runner, logged, wait_for
from tests.servers.gguf_file import LLAMA, STRING, gguf
from tests.sweep_runs import own_devices, server, sweep
from tests.sweeps.plans import plan

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("SmolLM2-135M-Instruct-Q4_K_M", "smollm2-135m-instruct"),
        ("SmolLM2 135M Instruct", "smollm2-135m-instruct"),
        ("Qwen2.5-7B-Instruct-UD-Q4_K_XL", "qwen2-5-7b-instruct"),
        ("Qwen2.5-7B-Instruct.i1-IQ2_XS", "qwen2-5-7b-instruct"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "qwen2-5-7b-instruct"),
        ("Yi-6B-Chat-4bits", "yi-6b-chat"),
        ("Llama-3-8B-BF16", "llama-3-8b"),
        ("Llama-3-8B", "llama-3-8b"),
        ("gpt-oss-20b-MXFP4", "gpt-oss-20b"),
        ("Q4_K_M", "q4-k-m"),
        ("a", "a"),
    ],
)
def test_the_name_of_a_family_says_nothing_of_quantisation(name, base):
    assert base_name(name) == base


def quantisations(folder, *names, **facts):
    folder.mkdir(exist_ok=True)
    for name in names:
        base = {key: value for key, value in LLAMA.items() if key != "tokenizer.chat_template"}
        header = gguf({"general.name": (STRING, f"Small 1B {name}"), **facts}, base=base)
        (folder / f"{name}.gguf").write_bytes(header)
    return [folder / f"{name}.gguf" for name in names]


def served(folder, pattern, option):
    """A server that gets the option for models of that pattern only."""
    program = folder / "serve.sh"
    program.write_text(f'#!/bin/sh\ncase "$1" in {pattern}) set -- "$@" {option};; esac\nshift; exec "$@"\n')
    program.chmod(0o755)
    name, command = server()
    return (name, f"{program} {{model}} {command}")


def styles(results):
    """Of each run, the style that its script used, and what its record says of the decision."""
    found = {}
    for record in logged(results):
        settings = json.loads((results / record["run_id"] / "settings.json").read_text())
        found[record["model"]] = (settings["prompt_style"], record["config"].get("family_style"))
    return found


@pytest.mark.servers
def test_the_first_model_decides_for_its_family_and_each_record_says_why(tmp_path):
    results = tmp_path / "r"
    files = quantisations(tmp_path / "m", "Q2_K", "Q8_0")
    words = served(tmp_path, "*Q2_K*", "--no-chat")
    done = sweep(results, files[0], *words, "--limit", 2)
    assert done.code == 0, done.err
    done = sweep(results, *files, *words, "--limit", 2)
    assert done.code == 0, done.err
    assert "reused: Q2_K human_eval" in done.err
    assert "note: asked in completion style, as Q2_K of the same family (alone it would be" in done.err
    found = styles(results)
    assert [style for style, _ in found.values()] == ["completion", "completion"]
    (q2, q8) = (why for _, why in found.values())
    assert (q2["decided_by"], q8["decided_by"], q8["style"]) == ("Q2_K", "Q2_K", "completion")
    assert q8["because"] == q2["because"] != ""
    (second,) = (record["run_id"] for record in logged(results) if record["model"] == "Q8_0")
    repeated = bench_runner("rerun", second, "--results-dir", results)
    assert repeated.code == 0, repeated.err
    assert "A and B solved the same samples" in repeated.out, (
        "in the style of the family, so that they compare"
    )
    alone = bench_runner(
        "run", "--benchmark", "human_eval", "--model", files[1], *words, "--limit", 2, "--reuse",
        "--results-dir", results,
    )  # fmt: skip
    assert alone.code == 0, alone.err
    assert "reused" not in alone.err, "alone it is asked in a chat"
    asked = sweep(results, *files, *served(tmp_path, "*Q9*", ""), "--limit", 2, "--prompt-style", "chat")
    assert asked.code == 0, asked.err
    assert "of the same family" not in asked.err, "what is asked for wins"


def test_the_decision_survives_kill_9(tmp_path):
    results = tmp_path / "r"
    files = quantisations(tmp_path / "m", "Q2_K", "Q8_0")
    words = ("--benchmark", "human_eval", *served(tmp_path, "*Q2_K*", "--no-chat"), "--limit", 2)
    with subprocess.Popen(
        [PROGRAM, "sweep", *map(str, (*files, *words)), "--results-dir", results], stderr=subprocess.DEVNULL
    ) as killed:
        wait_for(lambda: [*results.glob("sweeps/*/styles/*.json")], 60)
        killed.kill()
    resumed = bench_runner("sweep", "--resume", "last", "--results-dir", results)
    assert resumed.code == 0, resumed.err
    (q2, q8) = (style for style, _ in styles(results).values())
    assert q2 == q8 == "completion"
    assert {why["decided_by"] for _, why in styles(results).values()} == {"Q2_K"}


def test_of_workers_at_once_one_decides_and_the_others_wait(tmp_path):
    styles = FamilyStyles(tmp_path / "styles")
    began, order = threading.Event(), []

    def second():
        began.wait()
        with styles.claim("f") as claim:
            order.append(claim.known.style if claim.known else "decides itself")

    worker = threading.Thread(target=second)
    worker.start()
    with styles.claim("f") as claim:
        assert claim.known is None
        began.set()
        worker.join(0.3)
        assert order == [], "it waits for the decision"
        claim.decide(FamilyStyle(style="chat", because="b", decided_by="m", run_id="r"))
        worker.join(10)
        assert order == ["chat"], "and not for the end of the run"
    with styles.claim("other") as claim:
        claim.leave()
        with styles.claim("other") as again:
            assert again.known is None, "a run that decides nothing leaves it to the next"
    (tmp_path / "styles" / "f.json").write_text("{")
    assert styles.known("f") is None


def test_different_chat_templates_in_a_family_are_told_before_anything_starts(tmp_path):
    folder = tmp_path / "m"
    quantisations(folder, "Q4_0", **{"tokenizer.chat_template": (STRING, "{{ messages }}")})
    quantisations(folder, "Q5_0")
    text = "matrix: {benchmark: human_eval, model: 'm/*.gguf'}\n"
    (told,) = template_warnings(plan(text, tmp_path).runs)
    assert told.startswith("Q5_0 has no chat template, and Q4_0 of the same family has one")
    assert not template_warnings(plan(text + "defaults: {prompt_style: chat}\n", tmp_path).runs)
    quantisations(folder, "Q5_0", **{"tokenizer.chat_template": (STRING, "{{ other }}")})
    (told,) = template_warnings(plan(text, tmp_path).runs)
    assert "have different chat templates" in told
