"""`python -m scripts.run_kld ... -- llama-perplexity ...`: its cache, its figures and every mismatch, with a fake."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.benchmarks.kld.perplexity_words import build_of, determining, reference_words, split
from parsers.contract import ScriptOutput
from parsers.kld import PARSER
from results.errors import UsageError
from scripts import run_kld
from scripts.program import run_program
from tests.programs.fake_perplexity import logits_of, tokens_of

ROOT = Path(__file__).parents[2]
FAKE = (sys.executable, str(ROOT / "tests" / "programs" / "fake_perplexity.py"))
WINDOW, VOCAB, CHUNKS = 32, 300, 6
REFERENCE = {"vocab": VOCAB, "seed": 3, "chunks": CHUNKS}
MODEL = {**REFERENCE, "noise": 0.3}


@pytest.fixture
def program(tmp_path, monkeypatch, capfdbinary):
    """Runs the script: returns its exit code, events and stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "text.txt").write_text("a text")

    def run(*more, reference=REFERENCE, model=MODEL, options=(), out="out"):
        files = {"reference": tmp_path / "reference.json", "model": tmp_path / "model.json"}
        for name, facts in (("reference", reference), ("model", model)):
            files[name].write_text(json.dumps(facts))
        command = ["run_kld", "--model", "M", "--output", str(tmp_path / out)]
        command += ["--kld-text", str(tmp_path / "text.txt"), "--kld-window", str(WINDOW)]
        command += ["--reference-model", str(files["reference"]), *more]
        monkeypatch.setattr(sys, "argv", [*command, "--", *FAKE, "-m", str(files["model"]), *options])
        code = run_program(run_kld._read_arguments, run_kld._main)
        done = capfdbinary.readouterr()
        return code, list(map(json.loads, done.out.splitlines())), done.err.decode()

    return run


def kept(tmp_path):
    folder = tmp_path / "cache/bench_runner/base_logits"
    return [each.name for each in folder.iterdir() if each.suffix != ".lock"]


def phases(events):
    return [event["phase"] for event in events if event["event"] == "phase"]


def test_its_figures_are_those_of_the_logits_and_the_parser_agrees(program, tmp_path):
    code, events, said = program()
    assert code == 0, said
    klds, same, changes = [], [], []
    for chunk in range(CHUNKS):
        after = tokens_of(REFERENCE, WINDOW, CHUNKS)[chunk][WINDOW // 2 + 1 :]
        log_p, log_q = (log_softmax(logits_of(each, WINDOW, chunk)) for each in (REFERENCE, MODEL))
        klds.append((np.exp(log_p) * (log_p - log_q)).sum(axis=1))
        same.append(log_p.argmax(axis=1) == log_q.argmax(axis=1))
        rows = np.arange(len(after))
        changes.append(np.exp(log_q[rows, after]) - np.exp(log_p[rows, after]))
    found = events[-1]["kld"]["figures"]
    assert found["mean_kld"]["value"] == pytest.approx(np.mean(klds), rel=1e-3)
    assert found["max_kld"] == pytest.approx(np.max(klds), rel=1e-3)
    assert found["same_top"]["value"] == np.mean(same)
    assert found["rms_change"]["value"] == pytest.approx(math.sqrt(np.mean(np.square(changes))), rel=1e-2)
    assert (found["windows"], found["tokens"]) == (CHUNKS, CHUNKS * 15)
    output = ScriptOutput(json.dumps(events[-1]), "", tmp_path / "out", 0)
    assert PARSER.parse(output).details["kld"]["way"] == "llama-perplexity"
    assert phases(events) == ["reference", "load", "generate"]
    assert events[-2]["done"] == events[-2]["total"] == 2 * CHUNKS
    assert any("own perplexity of M is 12.5000, not" in warning for warning in events[-1]["warnings"])


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_the_reference_is_asked_once_for_all_models_and_settings_and_again_for_another_text(
    program, tmp_path
):
    assert program()[0] == 0
    once = kept(tmp_path)
    code, events, said = program(
        model={**MODEL, "noise": 0.1}, options=("-ctk", "q8_0", "-t", "3"), out="other"
    )
    assert code == 0, said
    assert phases(events) == ["load", "generate"]
    assert kept(tmp_path) == once
    (tmp_path / "text.txt").write_text("another text")
    assert phases(program(out="third")[1])[0] == "reference"
    assert len(kept(tmp_path)) == 2


def test_models_that_can_t_be_compared_are_an_error_before_anything_is_computed(program):
    for number, (model, why) in enumerate(
        (
            ({**MODEL, "vocab": VOCAB + 2}, "vocabulary of 302 tokens, the reference reference one of 300"),
            ({**MODEL, "tokens_seed": 8}, "reads the text as other tokens than M"),
            ({**MODEL, "chunks": CHUNKS - 1}, "reads the text as other tokens than M"),
        )
    ):
        code, events, _ = program(model=model, out=f"out{number}")
        assert code == 2
        assert why in events[-1]["message"]
        assert events[-1]["settings"] == ["kld_reference"]
        assert "generate" not in phases(events)


def test_the_limit_holds_in_both_passes(program, tmp_path):
    code, events, _ = program("--limit", "5")
    assert (code, events[-1]["kld"]["figures"]["windows"]) == (0, 5)
    assert kept(tmp_path)[0].startswith("reference-32x5-")


def test_a_reference_that_fails_leaves_no_base_logits_and_its_own_words(program, tmp_path):
    code, events, _ = program(reference={**REFERENCE, "fault": "short", "at": 3})
    assert code == 4
    assert events[-1]["message"].startswith("llama-perplexity failed on reference: ")
    assert kept(tmp_path) == []
    assert "0.00.1 I loading" in (tmp_path / "out/reference.log").read_text()


def test_a_run_whose_model_failed_goes_on_with_the_base_logits_it_made(program, tmp_path):
    assert program(model={**MODEL, "fault": "die", "at": 4})[0] == 4
    code, events, said = program()
    assert code == 0, said
    assert phases(events) == ["load", "generate"]


def test_too_large_for_the_cache_is_told_before_a_window_is_computed(program):
    code, events, _ = program("--kld-cache-size", "1M", reference={**REFERENCE, "chunks": 200})
    assert code == 4
    assert "MiB, and the cache may hold 1.0 MiB" in events[-1]["message"]
    assert not any(event["event"] == "progress" for event in events)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--reference", "/tmp"), "--reference is for what a server predicts"),
        (("--kld-window", "7"), "takes windows of 8 tokens or more"),
        (("--temperature", "1", "--top-k", "2"), "does not apply to kld"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(program, more, why):
    code, events, _ = program(*more)
    assert (code, why in events[-1]["message"]) == (2, True)


def test_the_references_pass_has_the_devices_but_not_what_is_measured():
    words = (
        *FAKE,
        "-m",
        "q4.gguf",
        "-ngl",
        "99",
        "-ctk",
        "q8_0",
        "-fa",
        "on",
        "-t",
        "8",
        "--lora",
        "x",
        "-ts",
        "3,-1",
    )
    found = reference_words(words, Path("/f16.gguf"), fits=True)
    assert found == (*FAKE, "-m", "/f16.gguf", "-t", "8", "-ts", "3,-1")
    none = (*FAKE, "-m", "q4.gguf", "-ngl", "0")
    assert reference_words(none, Path("x"), fits=True) == (*FAKE, "-m", "x", "-ngl", "0")
    found = reference_words(words, Path("/f16.gguf"), fits=False)
    assert found == (*FAKE, "-m", "/f16.gguf", "-ngl", "99", "-t", "8", "-ts", "3,-1")
    assert determining(found) == ("-ngl", "99", "-ts", "3,-1")
    assert split(words).options[-1] == ("-ts", "3,-1")
    with pytest.raises(UsageError, match="is not a command of llama-perplexity"):
        split(("llama-perplexity",))


def test_variables_that_llama_cpp_reads_are_part_of_what_determines_predictions(monkeypatch):
    monkeypatch.setenv("LLAMA_ARG_CACHE_TYPE_K", "q4_0")
    assert determining((*FAKE, "-m", "x")) == ("LLAMA_ARG_CACHE_TYPE_K=q4_0",)


def test_a_program_that_was_built_again_is_another_build(tmp_path):
    program = tmp_path / "llama-perplexity"
    program.write_text("#!/bin/sh\necho 'version: 7 (abc)'\n")
    program.chmod(0o755)
    before = build_of((str(program),))
    assert before.version == "7 (abc)"
    (tmp_path / "libllama.so").write_text("new")
    assert build_of((str(program),)).digest != before.digest
    with pytest.raises(UsageError, match="can't be run"):
        build_of((str(tmp_path / "none"),))
