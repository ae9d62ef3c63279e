"""LiveCodeBench's data as the project publishes it, and data that is not so."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import pickle
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from evaluation.benchmarks.lcb.data import load_data, read_tests, unpacked
from evaluation.benchmarks.lcb.releases import REPOSITORY, release_files
from results.errors import UsageError
from tests.evaluation.lcb_problems import FILE, SOURCES, by_id, line

ROOT = Path(__file__).parents[2]


def packed(value):
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def test_the_file_holds_what_its_source_says():
    """Protects the tests from a problems.jsonl that was edited by hand or not written again."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(SOURCES) == 8
    for text, source in zip(lines, SOURCES, strict=True):
        written, row = json.loads(line(source)), json.loads(text)
        for name, value in written.items():
            if name == "private_test_cases":  # compressed otherwise by another zlib
                assert unpacked(row[name]) == unpacked(value)
            else:
                assert row[name] == value


def test_samples_are_in_the_official_order_with_what_scores_are_given_by():
    data = load_data([FILE])
    assert [sample.task_id for sample in data.samples] == sorted(source.id for source in SOURCES)
    for sample in data.samples:
        source = by_id()[sample.task_id]
        assert sample.tags == {
            "difficulty": source.difficulty,
            "platform": source.platform,
            "month": source.day[:7],
        }
        assert sample.data["function"] == source.function
        assert sample.expected is None  # no test may get into the journal


def test_public_tests_come_before_private_ones_whether_packed_or_not():
    kinds = set()
    for sample in load_data([FILE]).samples:
        source = by_id()[sample.task_id]
        tests = read_tests(sample.data["place"])
        assert [(test.input, test.output) for test in tests] == [*source.public, *source.private]
        kinds.add((source.packed, tests[0].testtype))
    assert kinds == {(False, "stdin"), (True, "stdin"), (True, "functional"), (False, "functional")}


def test_a_window_of_days_includes_its_first_and_its_last_day():
    """The official runner leaves out what began after midnight of the last day."""

    def ids(start, end):
        days = [None if day is None else dt.date.fromisoformat(day) for day in (start, end)]
        return {sample.task_id for sample in load_data([FILE], start=days[0], end=days[1]).samples}

    assert ids("2024-05-30", "2024-05-30") == {"1900_E"}
    assert ids("2024-05-31", None) == {"kiosk_g"}
    assert ids(None, "2024-03-02") == {"kiosk_a", "kiosk_b"}
    assert ids("2024-03-03", "2024-04-16") == {"3201", "3202"}
    with pytest.raises(UsageError, match="no problem is from the days 2025-01-01 to the last") as caught:
        ids("2025-01-01", None)
    assert caught.value.hint == "the data covers 2024-03-02 to 2024-06-15"


class Call:
    """What a pickle may hold: unpickled in the usual way it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_that_would_call_something_is_refused_and_calls_nothing(tmp_path):
    trap = tmp_path / "trap"
    with pytest.raises(ValueError, match=r"the pickle holds more than a text: \w+"):
        unpacked(packed(Call(trap)))
    assert not trap.exists()
    pickle.loads(zlib.decompress(base64.b64decode(packed(Call(trap))))).close()  # it is our own
    assert trap.exists()  # so the trap works


@pytest.mark.parametrize("value", [["a list"], {"a": 1}, 5, b"bytes", None, dt.date(2024, 1, 1), ("a", "b")])
def test_of_a_pickle_only_a_text_is_taken(value):
    with pytest.raises(ValueError, match=r"the pickle holds more than a text"):
        unpacked(packed(value))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("text", ["[]", "[1]\n é \\ \ud800", "[" + 70_000 * "x"])
def test_a_text_is_read_from_a_pickle_of_any_protocol(protocol, text):
    assert unpacked(base64.b64encode(zlib.compress(pickle.dumps(text, protocol))).decode()) == text


def test_a_pickle_that_asks_for_much_memory_gets_none():
    bomb = pickle.dumps("[]", 2)[:-1] + pickle.LONG_BINPUT + b"\xff\xff\xff\x7f" + pickle.STOP
    assert unpacked(base64.b64encode(zlib.compress(bomb)).decode()) == "[]"


@pytest.mark.parametrize(
    "text", ["%%%", "QUJD", base64.b64encode(zlib.compress(b"\x80")).decode(), "{}", "x" * 7]
)
def test_what_is_neither_json_nor_packed_is_a_clear_error(text):
    with pytest.raises(ValueError, match="private_test_cases is neither JSON nor base64"):
        unpacked(text)


def test_a_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr("evaluation.benchmarks.lcb.data._TESTS_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="more than 1 MiB"):
        unpacked(packed("[" + " " * (2 << 20) + "]"))


def changed(**fields):
    return json.dumps({**json.loads(line(SOURCES[0])), **fields})


GOOD = line(SOURCES[0])
BAD = {
    "no JSON": ("{", "line 2: Input data was truncated"),
    "no object": ("5", "line 2: Expected `object`"),
    "a field is missing": (
        json.dumps({k: v for k, v in json.loads(GOOD).items() if k != "starter_code"}),
        "line 2: Object missing required field `starter_code`",
    ),
    "a field of another type": (
        changed(difficulty=3),
        r"line 2: Expected `str`, got `int` - at `\$.difficulty`",
    ),
    "no day": (changed(contest_date="soon"), "line 2: contest_date 'soon' is not a date"),
    "metadata is no JSON": (changed(metadata="func_name"), "line 2: metadata: JSON is malformed"),
    "the same problem again": (GOOD, "line 2: question_id 'kiosk_a' is given twice"),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_error_in_a_file_names_the_line_and_the_field(tmp_path, kind):
    text, message = BAD[kind]
    file = tmp_path / "problems.jsonl"
    file.write_text(f"{GOOD}\n{text}\n")
    with pytest.raises(UsageError, match=message) as caught:
        load_data([file])
    assert str(file) in caught.value.message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"public_test_cases": "[]", "private_test_cases": "[]"}, "it has no tests"),
        ({"public_test_cases": "[{}]"}, "missing required field `input`"),
        ({"private_test_cases": "?"}, "neither JSON nor base64"),
        (
            {"public_test_cases": '[{"input": "", "output": "", "testtype": "magic"}]'},
            "Invalid enum value 'magic'",
        ),
    ],
)
def test_tests_that_can_not_be_read_are_told_with_their_line(tmp_path, fields, message):
    file = tmp_path / "problems.jsonl"
    file.write_text(f"\n{changed(**fields)}\n")
    (sample,) = load_data([file]).samples
    with pytest.raises(UsageError, match=f"problems.jsonl, line 2: .*{message}"):
        read_tests(sample.data["place"])


def test_empty_and_missing_files_are_told(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match=r"empty.jsonl has no problems"):
        load_data([tmp_path / "empty.jsonl"])
    with pytest.raises(UsageError, match=r"can't be read: No such file"):
        load_data([tmp_path / "none.jsonl"])
    with pytest.raises(UsageError, match=r"can't be read: Is a directory"):
        load_data([tmp_path])


def test_releases_are_those_of_the_data_sets_card():
    assert release_files("release_v1") == ("test.jsonl",)
    assert release_files("release_v3") == ("test.jsonl", "test2.jsonl", "test3.jsonl")
    assert release_files("v1") == ("test.jsonl",)
    assert release_files("v6") == ("test6.jsonl",)
    assert release_files("v4_v6") == ("test4.jsonl", "test5.jsonl", "test6.jsonl")
    assert release_files("release_v11")[-1] == "test11.jsonl"
    for wrong in ("", "6", "release_6", "v0", "release_latest", "v6_v4", "release_v4_v6", "v1 ", "../v1"):
        with pytest.raises(UsageError):
            release_files(wrong)


FETCH = """
import sys
from evaluation.benchmarks.lcb.releases import fetch_release
from results.errors import BenchError
try:
    print(*fetch_release(sys.argv[1]))
except BenchError as error:
    print(error.message, "|", error.hint)
"""


def test_a_release_is_found_in_the_cache_or_its_absence_told_with_what_to_do(tmp_path):
    snapshot = tmp_path / "hub" / f"datasets--{REPOSITORY.replace('/', '--')}" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("a" * 40)
    for name in release_files("release_v2"):
        (snapshot / name).write_text("")

    def fetched(
        release,
    ):  # in a process of its own: huggingface_hub reads the environment when it is imported
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        command = [sys.executable, "-c", FETCH, release]
        return subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

    assert fetched("release_v2").split() == [str(snapshot / "test.jsonl"), str(snapshot / "test2.jsonl")]
    assert "livecodebench/code_generation_lite could not be fetched" in fetched("v3")
    assert "--dataset FILE" in fetched("v3")
