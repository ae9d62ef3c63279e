"""Divergence of what is served: the program against the real built-in llama.cpp, and whole runs on quantisations."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import msgspec
import pytest

from evaluation.benchmarks.kld.predictions import KeptWindow
from evaluation.benchmarks.kld.reference import read_reference, require_same_tokens
from evaluation.benchmarks.kld.windows import Window, cut
from parsers.contract import ScriptOutput
from parsers.kld import PARSER
from results.errors import ResultsError, UsageError
from results.stats.divergence import KldResult
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url
from tests.command_line import bench_runner, logged
from tests.evaluation.running_servers import OPENER

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TEXT = """The library lends a book for four weeks. Whoever keeps it longer pays ten cents a day, but nobody pays more
than the book costs. def fine(days): return min(0.10 * max(0, days - 28), price)
"""
DAMAGED = ("-ctk", "q4_0", "-ctv", "q4_0", "-fa", "on")  # a KV cache in four bits


@contextlib.contextmanager
def served(model, log, *options):
    """The built-in llama.cpp with two slots of 256 tokens; gives its base URL."""
    url = parse_base_url(f"http://127.0.0.1:{free_port()}")
    argv = (sys.executable, "-m", "servers.embedded", "-m", str(model), "--port", str(url.port))
    plan = LaunchPlan(
        kind="embedded",
        argv=(*argv, "-a", "m", "-t", "1", "-c", "512", "-np", "2", *options),
        base_url=url,
        model_name="m",
    )
    with launch(plan, log_path=log, ready_timeout_s=60, probe=False):
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kld")


@pytest.fixture(scope="module")
def text(folder):
    path = folder / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture(scope="module")
def plain(demo_model, folder):
    """The demo model as it is."""
    with served(demo_model, folder / "plain.log") as url:
        yield url


@pytest.fixture(scope="module")
def damaged(demo_model, folder):
    """The demo model with a KV cache in four bits."""
    with served(demo_model, folder / "damaged.log", *DAMAGED) as url:
        yield url


def run(url, output, text, *options, code=0):
    """Its result and what it said to people; every summary is one that the parser finds in the journal."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_kld", "--base-url", url.url, "--model", "m", "--output", str(output),
         "--kld-text", str(text), *map(str, options)],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    if code:
        return events[-1]["message"], done.stderr
    score = PARSER.parse(ScriptOutput(done.stdout, done.stderr, output, 0))
    return score, done.stderr


def result(score):
    return msgspec.convert(score.details["kld"], KldResult)


SMALL = ("--kld-window", 16, "--limit", 3)


@pytest.fixture(scope="module")
def reference(plain, folder, text):
    """Predictions of the plain model, the 20 likeliest tokens of each."""
    run(
        plain,
        folder / "reference-run",
        text,
        *SMALL,
        "--kld-top",
        20,
        "--write-reference",
        folder / "reference",
    )
    return folder / "reference"


def test_a_model_does_not_diverge_from_itself(plain, reference, text, tmp_path):
    score, _ = run(plain, tmp_path, text, *SMALL, "--kld-top", 20, "--reference", reference)
    found = result(score)
    assert score.score is None
    assert found.figures.windows == 3
    assert found.figures.tokens == 3 * 7  # window - 1 - window // 2, as llama-perplexity
    assert found.figures.max_kld < 1e-3
    assert found.figures.same_top.value == 1.0
    assert found.figures.perplexity_ratio.value == pytest.approx(1, abs=1e-3)
    assert found.reference.quantization == "Q4_1"  # as the server says it
    assert found.reference.measures == "agreement with Q4_1"


def distribution(url, tokens):
    """How a server predicts the token after these, over its whole vocabulary; nothing is forced."""
    body = {"prompt": tokens, "n_predict": 1, "n_probs": 60_000, "temperature": 0, "cache_prompt": False}
    asked = urllib.request.Request(
        f"{url.url}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with OPENER.open(asked) as response:
        answer = json.load(response)
    return {each["id"]: each["logprob"] for each in answer["completion_probabilities"][0]["top_logprobs"]}


@pytest.mark.servers
def test_the_divergence_is_that_of_whole_distributions_and_a_bound_below_it(plain, damaged, text, tmp_path):
    """With the whole vocabulary it equals what is computed here; with 5 tokens it is less, and all else is the same."""
    found = {}
    for top in (5, 60_000):
        options = ("--kld-window", 4, "--limit", 3, "--kld-top", top)
        reference = tmp_path / f"reference-{top}"
        run(plain, tmp_path / f"a-{top}", text, *options, "--write-reference", reference)
        found[top] = result(run(damaged, tmp_path / f"b-{top}", text, *options, "--reference", reference)[0])
    kept = [
        json.loads(line) for line in (tmp_path / "reference-5" / "predictions.jsonl").read_text().splitlines()
    ]
    klds, changes, ratios, same = [], [], [], []
    for window in kept:
        tokens = window["tokens"]
        p, q = distribution(plain, tokens[:3]), distribution(damaged, tokens[:3])
        assert math.fsum(map(math.exp, p.values())) == pytest.approx(1, abs=1e-3)
        klds.append(math.fsum(math.exp(value) * (value - q[token]) for token, value in p.items()))
        ratios.append(p[tokens[3]] - q[tokens[3]])
        changes.append(math.exp(q[tokens[3]]) - math.exp(p[tokens[3]]))
        same.append(max(p, key=p.get) == max(q, key=q.get))
    exact, bound = found[60_000].figures, found[5].figures
    assert exact.mean_kld.value == pytest.approx(sum(klds) / 3, rel=0.02, abs=1e-4)
    assert exact.max_kld == pytest.approx(max(klds), rel=0.02, abs=1e-4)
    assert exact.tail < 1e-3
    assert 0 < bound.mean_kld.value <= exact.mean_kld.value + 1e-4
    assert bound.tail > 0.05
    for figures in (exact, bound):
        assert figures.same_top.value == pytest.approx(sum(same) / 3)
        assert figures.perplexity_ratio.value == pytest.approx(math.exp(sum(ratios) / 3), rel=1e-2)
        assert figures.mean_change.value == pytest.approx(sum(changes) / 3, abs=2e-3)


def test_what_is_measured_is_not_measured_again(plain, reference, text, tmp_path):
    """Behind a torn line, the windows that are missing are measured; more of them may be asked for."""
    options = ("--kld-window", 16, "--kld-top", 20, "--reference", reference)
    run(plain, tmp_path, text, *options, "--limit", 1)
    journal = tmp_path / "kld.jsonl"
    first = journal.read_bytes()
    journal.write_bytes(first + b'{"index":1,"logprobs":[-1')
    score, _ = run(plain, tmp_path, text, *options, "--limit", 3)
    assert score.details["new_completions"] == 2
    assert journal.read_bytes().startswith(first)


def change(reference, to, edit):
    """A copy of a reference whose first window is edited."""
    shutil.copytree(reference, to)
    path = to / "predictions.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    edit(lines[0])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return to


def test_another_vocabulary_text_or_number_of_windows_is_refused(reference):
    settings, kept = read_reference(reference)
    windows = [Window(each.index, each.tokens) for each in kept.values()]
    told = {"name": "big", "of": settings}
    require_same_tokens(windows, kept, text_sha256=settings.text_sha256, **told)
    other = Window(1, (*windows[1].tokens[:-1], windows[1].tokens[-1] + 1))
    for wrong, sha256, why in (
        ([windows[0], other], settings.text_sha256, "vocabularies differ"),
        ([*windows, Window(3, windows[0].tokens)], settings.text_sha256, "has 3 of the 4 windows"),
        (windows, "0" * 64, "another text"),
    ):
        with pytest.raises(UsageError, match=why):
            require_same_tokens(wrong, kept, text_sha256=sha256, **told)


def test_windows_are_those_of_llama_perplexity():
    """What is left over is dropped, the token before a text begins each window, and the second half is measured."""
    windows = cut(range(100, 129), window=8, begin=1, limit=None)
    assert [window.tokens[:2] for window in windows] == [(1, 101), (1, 109), (1, 117)]
    assert windows[0].measured == (105, 106, 107)
    assert [window.tokens[0] for window in cut(range(9), window=4, begin=None, limit=1)] == [0]
    with pytest.raises(UsageError, match="fewer than a window"):
        cut(range(7), window=8, begin=1, limit=None)


def test_a_window_that_does_not_fit_is_refused(plain, text, tmp_path):
    message, _ = run(plain, tmp_path, text, "--kld-window", 400, code=2)
    assert "do not fit the context of a slot" in message


def test_damaged_predictions_are_an_error_and_no_figure(plain, reference, text, tmp_path):
    def shorter(line):
        line["ids"] = line["ids"][:8]

    changed = change(reference, tmp_path / "changed", shorter)
    message, _ = run(plain, tmp_path / "1", text, *SMALL, "--kld-top", 20, "--reference", changed, code=6)
    assert "damaged" in message
    (changed / "settings.json").unlink()
    with pytest.raises(ResultsError, match="can't be read"):
        read_reference(changed)


def test_predictions_on_disk_are_those_in_memory():
    kept = KeptWindow(
        index=0, tokens=(1, 2, 3), counts=(2, 1), ids="AQAAAAIAAAADAAAA", logprobs="AACAvwAAAMAAAEDA"
    )
    assert kept.predictions() == [{1: -1.0, 2: -2.0}, {3: -3.0}]


@pytest.mark.servers
def test_a_coarser_quantisation_diverges_more(demo_model, llama_server_binary, tmp_path):
    """Whole runs on real quantisations: the reference is served once, and `list` tells the figures apart."""
    quantize = llama_server_binary.with_name("llama-quantize")
    models = {}
    for kind in ("F16", "Q8_0", "Q2_K"):
        models[kind] = tmp_path / f"demo-{kind}.gguf"
        command = [quantize, "--allow-requantize", demo_model, models[kind], kind, "1"]
        subprocess.run(command, check=True, capture_output=True)
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    found = []
    for kind in ("Q8_0", "Q2_K"):
        done = bench_runner(
            "run", "--benchmark", "kld", "--model", models[kind], "--kld-reference", models["F16"],
            "--server-binary", llama_server_binary, "--parallel", "2", "--kld-way", "served", "--limit", "4",
            "--kld-window", "48", "--results-dir", tmp_path / "results", "--", "-t", "1", env=environment,
        )  # fmt: skip
        assert done.code == 0, done.err
        assert ("serving the reference demo-F16 first" in done.err) == (kind == "Q8_0")
        record = logged(tmp_path / "results")[-1]
        found.append(result_of(record))
    q8, q2 = found
    assert q8.reference.measures == "KL divergence"
    assert q8.reference.sha256 == q2.reference.sha256
    assert q8.tokens_sha256 == q2.tokens_sha256
    assert 0 < q8.figures.mean_kld.high < q2.figures.mean_kld.low
    assert q8.figures.same_top.value > q2.figures.same_top.value
    assert q8.figures.perplexity.value < q2.figures.perplexity.value


def result_of(record):
    return msgspec.convert(record["score"]["details"]["kld"], KldResult)
