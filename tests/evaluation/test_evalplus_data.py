"""EvalPlus's data: its two files, the inputs as it passes them, what the references give, and where it comes from."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
import random
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from evaluation.benchmarks.evalplus.data import read_problems
from evaluation.benchmarks.evalplus.expected import expected_outputs
from evaluation.benchmarks.evalplus.inputs import as_passed
from evaluation.benchmarks.evalplus.inside import all_close, decoded, encoded
from evaluation.benchmarks.evalplus.released import fetch_release
from evaluation.benchmarks.evalplus.task import expected_of_asked, usable
from evaluation.data import packed
from results.errors import ScriptError, UsageError
from results.stats.sample_order import order_key
from sandbox import open_sandbox
from scripts.data_sets import main as data_sets
from tests.evaluation.evalplus_problems import HUMAN_EVAL, MBPP, write_rows


@pytest.fixture(scope="module")
def box():
    with open_sandbox(workers=2) as opened:
        yield opened


def first(path, rows, benchmark="human_eval_plus"):
    return read_problems(write_rows(path, rows), benchmark).problems[0]


def test_a_packed_file_is_the_same_data(tmp_path):
    plain = write_rows(tmp_path / "HumanEvalPlus.jsonl", HUMAN_EVAL)
    packed = tmp_path / "HumanEvalPlus.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    problems = [read_problems(path, "human_eval_plus").problems for path in (plain, packed)]
    assert problems[0] == problems[1]
    assert len(problems[0]) == len(HUMAN_EVAL)


@pytest.mark.parametrize(
    ("number", "given", "passed"),
    [
        (2, [[1, 2], [3]], [(1, 2), (3,)]),
        (63, [[[1, 2], [3, 4]]], [[(1, 2), (3, 4)]]),
        (75, [[[1, 2]], 6], [[(1, 2)], 6]),
        (106, [[1], [2]], [[1], (2,)]),
        (115, [[[1, 1], [], "x"]], [[{1}, {}, {}]]),
        (124, ["1", "2j"], [1.0, 2j]),
        (250, [[1], 2], [(1,), 2]),
        (259, [[[1], [2]], [[3]]], [((1,), (2,)), ((3,),)]),
        (278, [[1, [2]]], [(1, (2,))]),
        (307, [[1], 2, 3], [(1,), 2, 3]),
        (722, [{"a": [1]}, 2], [{"a": (1,)}, 2]),
        (252, ["1+2j"], [1 + 2j]),
        (580, [[1, [2]], 3], [(1, (2,)), 3]),
        (11, [[1]], [[1]]),
    ],
)
def test_inputs_get_the_types_of_their_task(number, given, passed):
    made = as_passed(f"Mbpp/{number}", given)
    assert repr(made) == repr(passed)


def test_what_is_written_is_read_again():
    values = [
        None,
        True,
        1.5,
        -(2**70),
        "\ud800",
        [],
        (1, (2,)),
        {1: [2]},
        {3},
        frozenset({4}),
        1j,
        b"\xff",
        range(3),
    ]
    assert repr(decoded(json.loads(json.dumps(encoded(values))))) == repr(values)
    assert decoded(encoded(np.float64(0.5))) == 0.5
    assert math.isnan(decoded(encoded([math.nan]))[0])
    assert decoded([math.nan]) != decoded([math.nan])


def _random_value(random_, depth):
    if depth == 0 or random_.random() < 0.4:
        return random_.choice(
            [0, 1, 1.0, 1 + 5e-8, 1 + 2e-7, 1 + 1e-3, -1, True, 2j, math.inf, math.nan, 2**63, "1"]
        )
    return [_random_value(random_, depth - 1) for _ in range(random_.choice([0, 1, 1, 2, 2]))]


def test_tolerance_is_that_of_numpy():
    """On nested lists of all kinds, also such as differ in shape."""
    random_, answers = random.Random(1), []
    for _ in range(8000):
        got, expected = _random_value(random_, 3), _random_value(random_, 3)
        if random_.random() < 0.5 and isinstance(expected, list):
            got = [one if isinstance(one, (list, str)) else one + 1e-9 for one in expected]
        pair = []
        for compare in (
            lambda a, b: all_close(a, b, 1e-6),
            lambda a, b: bool(np.allclose(a, b, rtol=1e-7, atol=1e-6)),
        ):
            try:
                pair.append(compare(got, expected))
            except (TypeError, ValueError):
                pair.append(False)
        assert pair[0] == pair[1], (got, expected)
        answers.append(pair[0])
    assert min(answers.count(True), answers.count(False)) > 100
    for huge in (2**64, -(2**63) - 1):
        with pytest.raises(TypeError):
            all_close([huge + 1], [huge], 1e-6)


def test_expected_outputs_are_computed_once(tmp_path, box):
    problem = first(tmp_path / "h.jsonl", HUMAN_EVAL)
    once = expected_outputs([problem], box, workers=1, folder=tmp_path / "cache")
    assert once[problem.task_id]["base"].outputs == [False, True]
    files = sorted((tmp_path / "cache").iterdir())
    assert len(files) == 2
    changed = next(file for file in files if b"[false, true]" in file.read_bytes())
    changed.write_bytes(changed.read_bytes().replace(b"[false, true]", b"[true, true]"))
    again = expected_outputs([problem], box, workers=1, folder=tmp_path / "cache")
    assert again[problem.task_id]["base"].outputs == [True, True]
    changed.write_bytes(b'{"outputs": [1')  # half of a file is none
    again = expected_outputs([problem], box, workers=1, folder=tmp_path / "cache")
    assert again[problem.task_id]["base"].outputs == [False, True]
    assert again[problem.task_id]["plus"] == once[problem.task_id]["plus"]


def test_only_the_problems_that_are_asked_are_computed_and_a_failure_is_kept(tmp_path, box):
    bad = {**HUMAN_EVAL[0], "canonical_solution": "    return object()\n"}
    problems = read_problems(
        write_rows(tmp_path / "h.jsonl", [bad, *HUMAN_EVAL[1:]]), "human_eval_plus"
    ).problems
    computed, done = [], []

    def compute(some):
        computed.append([one.task_id for one in some])
        return expected_outputs(some, box, workers=1, folder=tmp_path / "cache", on_done=done.append)

    expected = expected_of_asked(problems, compute, limit=1, shuffle=None)
    assert (computed, done) == ([[problems[0].task_id], [problems[1].task_id]], [1, 1])
    found = usable(problems, expected)
    assert [one.problem.task_id for one in found.problems] == [one.task_id for one in problems[1:]]
    assert list(found.excluded) == [problems[0].task_id]
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert len(kept) == 4
    expected_of_asked(problems, compute, limit=1, shuffle=None)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == kept
    for path in kept:
        os.utime(path, (0, 0))
    expected_of_asked(problems, compute, limit=1, shuffle=None)
    again = [path for path in kept if path.stat().st_mtime_ns]
    assert len(again) == 2  # what failed is computed again after a day; what did not, never
    shuffled_first = min(problems, key=lambda one: order_key(3, one.task_id)).task_id
    del computed[:]
    expected_of_asked(problems, compute, limit=1, shuffle=3)
    assert computed[0] == [shuffled_first]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    return object()\n", "an object of type object, which is no data"),
        ("    raise ValueError(limit)\n", "the reference raises ValueError: 0.5"),
        ("    import os\n    os._exit(0)\n", "the reference"),
        ("    return (\n", "SyntaxError"),
    ],
)
def test_a_problem_whose_reference_gives_no_data_is_left_out_by_name(tmp_path, box, body, said):
    problem = first(tmp_path / "h.jsonl", [{**HUMAN_EVAL[0], "canonical_solution": body}])
    good = first(tmp_path / "g.jsonl", [HUMAN_EVAL[2]])
    found = usable([problem, good], expected_outputs([problem, good], box, workers=1, folder=tmp_path / "c"))
    assert [one.problem.task_id for one in found.problems] == [good.task_id]
    assert said in found.excluded[problem.task_id]


_ROW = HUMAN_EVAL[2]


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("benchmark", "row", "said", "hint"),
    [
        ("mbpp_plus", _ROW, "'HumanEval/2' is not Mbpp/NUMBER", "--benchmark human_eval_plus"),
        ("human_eval_plus", {**_ROW, "task_id": "2"}, "is not HumanEval/NUMBER", "as EvalPlus publishes"),
        ("human_eval_plus", {**_ROW, "base_input": []}, "has no base_input", ""),
        ("human_eval_plus", {**_ROW, "entry_point": "a b"}, "has no entry_point", ""),
        ("human_eval_plus", {**_ROW, "entry_point": "class"}, "has no entry_point", ""),
        (
            "human_eval_plus",
            {**_ROW, "plus_input": [[_deep(700)]]},
            "the inputs are not such as HumanEval/2 has",
            "",
        ),
        (
            "human_eval_plus",
            {**_ROW, "base_input": [1]},
            ":1: Expected `array`, got `int` - at `$.base_input[0]`",
            "",
        ),
        ("human_eval_plus", {"task_id": "HumanEval/2"}, "missing required field `prompt`", "its fields are"),
        ("mbpp_plus", {**MBPP[0], "base_input": [[1, 2]]}, "the inputs are not such as Mbpp/2 has", ""),
    ],
)
def test_bad_rows_are_refused(tmp_path, benchmark, row, said, hint):
    with pytest.raises(UsageError) as caught:
        first(tmp_path / "rows.jsonl", [row], benchmark)
    assert said in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("data", [b"\x1f\x8b but not packed", b"\xff", b"[1", b"\n"])
def test_a_file_of_something_else_is_refused(tmp_path, data):
    path = tmp_path / "HumanEvalPlus.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=str(path)):
        read_problems(path, "human_eval_plus")


def test_a_small_file_can_not_fill_the_memory(tmp_path, releases, monkeypatch):
    monkeypatch.setattr(packed, "MOST_UNPACKED_BYTES", 3 << 20)
    zeros = gzip.compress(bytes(1 << 24))
    path = tmp_path / "HumanEvalPlus.jsonl.gz"
    path.write_bytes(zeros)
    with pytest.raises(UsageError, match="unpacks to more than 3,145,728 bytes"):
        read_problems(path, "human_eval_plus")
    monkeypatch.setattr(_Releases, "data", zeros)
    with pytest.raises(ScriptError, match="unpacks to more than 3,145,728 bytes"):
        fetch_release("human_eval_plus", say=str, root=releases)


@pytest.mark.parametrize("before", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.0 200 OK\r\nX: "])
def test_a_server_that_drips_is_not_waited_for_without_end(releases, monkeypatch, before):
    """In the body or in the headers: each byte comes in time, and there is no last one."""
    given_up = threading.Event()

    def drip(self):
        self.wfile.write(before)
        while not given_up.wait(0.01):
            self.wfile.write(b"x")

    monkeypatch.setattr(_Releases, "do_GET", drip)
    try:
        with pytest.raises(ScriptError, match=r"it was not there after 0\.3 s") as caught:
            fetch_release("human_eval_plus", say=str, root=releases, most_s=0.3)
    finally:
        given_up.set()
    assert "--dataset FILE" in caught.value.hint


ASKED = []


class _Releases(BaseHTTPRequestHandler):
    """What each was asked stays in `ASKED`."""

    data = gzip.compress(json.dumps(HUMAN_EVAL[2]).encode())

    def do_GET(self):
        ASKED.append(self.path)
        self.send_response(200 if "human" in self.path else 404)
        self.end_headers()
        self.wfile.write(self.data)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def releases(monkeypatch, tmp_path):
    """Their root, on an HTTP server."""
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("no_proxy", "*")
    ASKED.clear()
    with HTTPServer(("127.0.0.1", 0), _Releases) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_release_is_fetched_once_and_one_put_there_by_hand_is_taken(tmp_path, releases):
    said = []
    for _ in range(2):
        path = fetch_release("human_eval_plus", say=said.append, root=releases)
        assert read_problems(path, "human_eval_plus").problems[0].task_id == "HumanEval/2"
    asked = "/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz"
    assert (ASKED, said) == ([asked], [f"fetching {releases}{asked}"])
    by_hand = tmp_path / "XDG_DATA_HOME" / "bench_runner" / "data" / "evalplus" / "HumanEvalPlus.jsonl"
    by_hand.parent.mkdir(parents=True)
    by_hand.touch()
    assert fetch_release("human_eval_plus", say=said.append, root=releases) == by_hand


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_release_that_changed_is_refused_until_it_is_renewed(tmp_path, releases, capsys, by_hand):
    if by_hand:
        path = tmp_path / "XDG_DATA_HOME" / "bench_runner" / "data" / "evalplus" / "HumanEvalPlus.jsonl"
        path.parent.mkdir(parents=True)
        write_rows(path, HUMAN_EVAL)
        assert fetch_release("human_eval_plus", say=str, root=releases) == path
    else:
        path = fetch_release("human_eval_plus", say=str, root=releases)
    whole = path.read_bytes()
    assert fetch_release("human_eval_plus", say=str, root=releases) == path
    write_rows(path, HUMAN_EVAL[:2])
    with pytest.raises(
        ScriptError, match=r"has changed since github\.com/evalplus/humanevalplus_release was first"
    ):
        fetch_release("human_eval_plus", say=str, root=releases)
    assert data_sets(["fetch", "human_eval_plus"]) != 0
    assert "--renew" in capsys.readouterr().err
    assert data_sets(["list", "human_eval_plus"]) == 0
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert told["files"][0]["sha256"] == hashlib.sha256(whole).hexdigest()
    if by_hand:
        assert data_sets(["fetch", "human_eval_plus", "--renew"]) == 0
    else:
        path.unlink()
    assert fetch_release("human_eval_plus", say=str, root=releases) == path


def test_data_list_and_fetch_know_the_releases(releases, capsys):
    assert data_sets(["list", "mbpp_plus", "human_eval_plus"]) == 0
    found = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [(one["suite"], one["here"], one["revision"]) for one in found] == [
        ("mbpp_plus", False, "v0.2.0"),
        ("human_eval_plus", False, "v0.1.10"),
    ]
    kept = fetch_release("human_eval_plus", say=str, root=releases)
    assert data_sets(["fetch", "human_eval_plus"]) == 0
    (fetched,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (fetched["here"], fetched["paths"]) == (True, [str(kept)])
    assert fetched["files"][0]["sha256"] == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert len(ASKED) == 1


@pytest.mark.parametrize(("benchmark", "why"), [("mbpp_plus", "Not Found"), ("human_eval_plus", "")])
def test_a_release_that_can_not_be_had_says_where_to_put_it(tmp_path, releases, monkeypatch, benchmark, why):
    monkeypatch.setattr(_Releases, "data", _Releases.data[:40])  # half of it
    with pytest.raises(ScriptError) as caught:
        fetch_release(benchmark, say=str, root=releases)
    assert f"the data of {benchmark} could not be fetched from {releases}/evalplus/" in caught.value.message
    assert why in caught.value.message
    assert str(tmp_path / "XDG_DATA_HOME") in caught.value.hint
    assert not (tmp_path / "XDG_CACHE_HOME").exists()
