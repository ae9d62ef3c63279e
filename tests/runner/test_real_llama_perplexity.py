"""kld by the real llama-perplexity on real quantisations: its own printed figures, and what a server predicts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.command_line import ROOT, bench_runner, logged

pytestmark = pytest.mark.servers
WINDOW, WINDOWS = 128, 3
KINDS = ("Q8_0", "Q4_K_M", "Q2_K")


@pytest.fixture(scope="module")
def models(tmp_path_factory, demo_model, llama_server_binary):
    """The demo model's quantisations."""
    folder = tmp_path_factory.mktemp("models")
    files = {kind: folder / f"demo-{kind}.gguf" for kind in KINDS}
    for kind, file in files.items():
        quantize = llama_server_binary.with_name("llama-quantize")
        command = [quantize, "--allow-requantize", demo_model, file, kind, "1"]
        subprocess.run(command, check=True, capture_output=True)
    return files


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def kld(results, model, reference, binary, cache, *more, options=(), way="llama-perplexity"):
    done = bench_runner(
        "run", "--benchmark", "kld", "--kld-way", way, "--model", model, "--kld-reference", reference,
        "--kld-window", WINDOW, "--limit", WINDOWS, "--server-binary", binary, "--results-dir", results, *more,
        "--", "-t", 1, *options,
        env={"XDG_CACHE_HOME": str(cache)},
    )  # fmt: skip
    assert done.code == 0, done.err
    return logged(results)[-1]["score"]["details"]["kld"]


def printed(binary, model, base):
    """llama-perplexity's own figures against the same base logits, by name."""
    command = [
        binary.with_name("llama-perplexity"),
        "-m",
        model,
        "-c",
        str(WINDOW),
        "-t",
        "1",
        "--kl-divergence",
    ]
    command += ["--kl-divergence-base", base, "-f", ROOT / "evaluation/benchmarks/kld/text.txt"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^ *([A-Z0-9][^:\n]*?) *: *(-?[\d.]+)", said, re.MULTILINE)
    return {" ".join(name.split()): float(value) for name, value in lines}


@pytest.fixture(scope="module")
def by_program(models, cache, llama_server_binary, tmp_path_factory):
    """What kld finds by llama-perplexity, by quantisation."""
    results = tmp_path_factory.mktemp("results")
    kinds = ("Q4_K_M", "Q2_K")
    return {kind: kld(results, models[kind], models["Q8_0"], llama_server_binary, cache) for kind in kinds}


def test_the_figures_are_llama_perplexitys_own_and_grow_as_the_quantisation_gets_coarser(
    models, cache, by_program, llama_server_binary
):
    found = {kind: each["figures"] for kind, each in by_program.items()}
    assert 0 < 4 * found["Q4_K_M"]["mean_kld"]["value"] < found["Q2_K"]["mean_kld"]["value"]
    assert by_program["Q2_K"]["reference"]["quantization"] == "Q8_0"
    (base,) = (cache / "bench_runner/base_logits").glob(f"demo-Q8_0-{WINDOW}x{WINDOWS}-*/logits")
    theirs, ours = printed(llama_server_binary, models["Q2_K"], base), found["Q2_K"]
    for name, value, within in (
        ("Mean KLD", ours["mean_kld"]["value"], {"rel": 1e-3}),
        ("99.0% KLD", ours["p99_kld"]["value"], {"rel": 2e-3}),
        ("Maximum KLD", ours["max_kld"], {"rel": 2e-3}),
        ("Mean PPL(Q)", ours["perplexity"]["value"], {"rel": 1e-4}),
        ("Mean PPL(base)", ours["reference_perplexity"]["value"], {"rel": 1e-6}),
        ("Mean PPL(Q)/PPL(base)", ours["perplexity_ratio"]["value"], {"rel": 1e-4}),
        ("Mean Δp", 100 * ours["mean_change"]["value"], {"abs": 2e-3}),
        ("RMS Δp", 100 * ours["rms_change"]["value"], {"abs": 2e-3}),
        ("Same top p", 100 * ours["same_top"]["value"], {"abs": 1e-3}),
    ):
        assert value == pytest.approx(theirs[name], **within), name


def test_the_running_server_agrees_as_far_as_its_bound_says(
    tmp_path, models, cache, by_program, llama_server_binary
):
    """And as far as arithmetic goes: token by token, this processor rounds otherwise than in batches."""
    words = (tmp_path / "r", models["Q2_K"], models["Q8_0"], llama_server_binary, cache)
    served = kld(*words, "--kld-top", 500, "--parallel", 2, way="served")
    full, bound = by_program["Q2_K"]["figures"], served["figures"]
    assert served["text_sha256"] == by_program["Q2_K"]["text_sha256"]
    assert full["tokens"] == bound["tokens"]
    assert 0.8 * full["mean_kld"]["value"] < bound["mean_kld"]["value"] < full["mean_kld"]["value"]
    for name, within in (
        ("perplexity", {"rel": 0.03}),
        ("reference_perplexity", {"rel": 0.03}),
        ("same_top", {"abs": 0.04}),
        ("rms_change", {"rel": 0.1}),
    ):
        assert bound[name]["value"] == pytest.approx(full[name]["value"], **within), name


def test_a_kv_cache_type_is_measured_against_the_same_model_without_it(
    tmp_path, models, cache, llama_server_binary
):
    options = ("-ctk", "q4_0", "-ctv", "q4_0", "-fa", "on")
    same = (models["Q8_0"], models["Q8_0"], llama_server_binary, cache)
    found = kld(tmp_path / "r", *same, options=options)["figures"]
    assert 0 < found["mean_kld"]["value"] < 0.5
    (record,) = logged(tmp_path / "r")
    assert record["server"]["in_force"]["cache_type_k"] == "q4_0"
    assert "--kl-divergence" not in " ".join(record["server"]["command"])
    assert Path(record["server"]["command"][0]).name == "llama-perplexity"
