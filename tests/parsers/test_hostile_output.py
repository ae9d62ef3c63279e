"""Output that is meant to harm: a score, or a ParseError, soon, and a record that can be written and read again."""

from __future__ import annotations

import json
import os
import time
import zipfile

import msgspec
import pytest

from parsers import registry
from parsers.contract import ScriptOutput
from parsers.fit import fitted
from results.errors import ParseError
from results.json_text import encode
from results.records import Score
from tests.command_line import bench_runner, logged
from tests.evaluation.running_servers import canonical_server
from tests.hostile_text import EVIL, harmless

pytestmark = pytest.mark.slow

HUGE = 10**400
LONG = "9" * 5000
DEEP = '{"a":' * 900 + "1" + "}" * 900
NAN = float("nan")
MANY = 40_000


def nested(document: dict, **values) -> str:
    return json.dumps(document | values)


def inspect_log(**results) -> dict:
    return {"status": "success", "eval": {"task": EVIL}, "results": {"scores": [], **results}}


def inspect_scorer(value, **more) -> dict:
    return {"name": EVIL, "metrics": {"accuracy": {"name": "accuracy", "value": value}}, **more}


def lcb(platform) -> dict:
    return {"graded_list": [True], "platform": platform, "difficulty": "easy"}


VLLM = {"duration": 1.0, "completed": 4, "request_throughput": 1.0}
BENCH = {"n_prompt": 16, "n_gen": 0, "avg_ts": 1.5, "stddev_ts": 0.1}
CASES = {
    "json: a count that no float holds": ("json", "", f'{{"score": 50, "samples": {HUGE}}}'),
    "json: no number": ("json", "", '{"score": NaN}\n{"score": Infinity}\n{"pass@1": -1e999}'),
    "json: deep": ("json", "", f'{{"score": 5, "more": {DEEP}}}'),
    "json: large": ("json", "", lambda: json.dumps({"score": 5, "more": "x" * 5_000_000})),
    "human_eval_cli: a k of 5000 digits": ("human_eval_cli", "", f"{{'pass@{LONG}': 0.5}}"),
    "human_eval_cli: a value of 5000 digits": ("human_eval_cli", "", f"{{'pass@1': {LONG}}}"),
    "evalplus: a k of 5000 digits": ("evalplus", "", f"x (base tests)\npass@{LONG}: 0.5\npass@1: 0.5"),
    "llama_bench: lists without an end": ("llama_bench", "", "[{\n" * MANY),
    "llama_bench: the same test again and again": ("llama_bench", "", lambda: json.dumps([BENCH] * MANY)),
    "llama_bench: no numbers": (
        "llama_bench",
        "",
        json.dumps(
            [BENCH | {"avg_ts": NAN}, BENCH | {"n_gen": HUGE}, BENCH | {"n_depth": EVIL, "stddev_ts": NAN}]
        ),
    ),
    "vllm_bench: no numbers": (
        "vllm_bench",
        "x.json",
        nested(
            VLLM, completed=4.0, failed=EVIL, output_throughput=NAN, p99_ttft_ms=HUGE, total_input_tokens=HUGE
        ),
    ),
    "vllm_bench: nothing was completed": ("vllm_bench", "x.json", nested(VLLM, completed=NAN)),
    "lm_eval: names and numbers": (
        "lm_eval",
        "x.json",
        json.dumps(
            {
                "results": {
                    EVIL: {"acc,none": 0.5, "acc_stderr,none": 1e-200, f"{EVIL},none": 0.25, "f1,none": NAN},
                    "b": {"acc,none": 1e-300, "acc_stderr,none": 1e-8},
                    "c": {"acc,none": HUGE, "acc_norm,none": "N/A", ",": 1},
                },
                "n-samples": {EVIL: {"effective": HUGE}, "b": {"effective": NAN}},
                "group_subtasks": {EVIL: [EVIL, 5, None], "b": EVIL},
            }
        ),
    ),
    "lm_eval: tasks without an end": (
        "lm_eval",
        "x.json",
        lambda: json.dumps({"results": {f"task {n}": {"acc,none": 0.5} for n in range(MANY)}}),
    ),
    "bigcode: tasks without an end": (
        "bigcode",
        "x.json",
        lambda: json.dumps(
            {"config": {"n_samples": 1}, **{f"task {n}": {"pass@1": 0.5} for n in range(MANY)}}
        ),
    ),
    "livecodebench: platforms without an end": (
        "livecodebench",
        "x_eval_all.json",
        lambda: json.dumps([lcb(f"platform {n}") for n in range(MANY)]),
    ),
    "inspect: counts": (
        "inspect",
        "x.json",
        json.dumps(
            inspect_log(
                total_samples=HUGE,
                completed_samples=-5,
                scores=[inspect_scorer(0.5, scored_samples=HUGE, unscored_samples=NAN), 5, {"metrics": 7}],
            )
        ),
    ),
    "inspect: more without a score than there are": (
        "inspect",
        "x.json",
        json.dumps(
            inspect_log(
                total_samples=3, scores=[inspect_scorer(0.5, scored_samples=3, unscored_samples=10**9)]
            )
        ),
    ),
    "inspect: no numbers": ("inspect", "x.json", json.dumps(inspect_log(scores=[inspect_scorer(NAN)]))),
    "inspect: usage of no model": (
        "inspect",
        "x.json",
        nested(inspect_log(scores=[inspect_scorer(0.5)]), stats={"model_usage": 5}),
    ),
    "inspect: a long story": (
        "inspect",
        "x.json",
        lambda: nested(inspect_log(), status="error", error={"message": EVIL * MANY}),
    ),
    "inspect: deep": (
        "inspect",
        "x.json",
        '{"status": "success", "eval": {"task": "x"}, "results": ' + DEEP + "}",
    ),
}


@pytest.mark.parametrize(("parser", "name", "text"), CASES.values(), ids=CASES)
def test_it_is_a_score_that_a_record_holds_or_a_parse_error_at_once(tmp_path, parser, name, text):
    if callable(text):  # a long one, which only the worker that needs it makes
        text = text()
    if name:
        (tmp_path / name).write_text(text)
    began = time.process_time()
    said, score = "", None
    try:
        score = fitted(registry.get(parser).parse(ScriptOutput("" if name else text, "", tmp_path, 0)))
    except ParseError as error:
        said = str(error)
    assert len(said) < 10_000
    if score is not None:
        line = encode(score)
        assert len(line) < 10 << 20
        kept = msgspec.json.decode(line, type=Score)
        assert kept.score is None or 0 <= kept.score <= 100
        assert all(0 <= metric.value <= 1 for metric in kept.metrics.values())
        assert len(str(kept.warnings)) < 10_000
    assert time.process_time() - began < 20, "linear, whatever the machine"


def test_every_cut_of_a_file_is_a_parse_error_or_the_score(tmp_path):
    """A disk was full, or the tool was killed while it wrote."""
    text = json.dumps({"results": {"sums": {"acc,none": 0.5, "acc_stderr,none": 0.1}}, "configs": {}})
    for end in range(len(text)):
        (tmp_path / "x.json").write_text(text[:end])
        with pytest.raises(ParseError):
            registry.get("lm_eval").parse(ScriptOutput("", "", tmp_path, 0))


def test_a_file_too_large_to_read_is_told(tmp_path):
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(1 << 40)  # sparse
    for parser in ("lm_eval", "inspect", "bigcode", "vllm_bench"):
        with pytest.raises(ParseError, match="larger than 512 MiB"):
            registry.get(parser).parse(ScriptOutput("", "", tmp_path, 0))


def test_an_archive_that_unpacks_to_gigabytes_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", b" " * (300 << 20))
    with pytest.raises(ParseError, match="larger than 256 MiB"):
        registry.get("inspect").parse(ScriptOutput("", "", tmp_path, 0))


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    (tmp_path / "b.json").symlink_to("/dev/zero")
    (tmp_path / "c.json").symlink_to("c.json")
    (tmp_path / "d.json").mkdir()
    with pytest.raises(ParseError):
        registry.get("lm_eval").parse(ScriptOutput("", "", tmp_path, 0))


def test_names_of_tasks_do_not_steer_a_terminal(tmp_path):
    results = {EVIL: {"em,none": 0.5, f"{EVIL},none": 0.25}, "second": {"em,none": 0.75}}
    found = tmp_path / "found.json"
    found.write_text(json.dumps({"results": results}))
    script = tmp_path / "eval.py"
    script.write_text(f"import os, shutil\nshutil.copy({str(found)!r}, os.environ['BENCH_OUTPUT_DIR'])\n")
    with canonical_server() as url:
        done = bench_runner("run", "--base-url", url, "--script", script, "--parser", "lm_eval",
                            "--results-dir", tmp_path / "results")  # fmt: skip
    assert done.code == 0, done.err
    harmless(done.out)
    harmless(done.err)
    (run,) = logged(tmp_path / "results")
    assert run["score"]["score"] == 62.5
    harmless(bench_runner("show", run["run_id"], "--results-dir", tmp_path / "results").out)
