"""Records that hold sentences where newer ones have types are still read, and say the same."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from results.compare.leaderboard import make_tables
from results.compare.versus_best import Rank
from results.records import (
    Completion,
    Loss,
    decode_record,
    encode_record,
)
from results.store.run_folder import all_records
from results.sweep_place import RaceEnd, RaceResult, Reduction, SweepPlace
from results.views.leaderboard_text import notes, rank_text
from results.views.sweep_text import race_text
from tests.results.recorded_runs import P, record_run

OLDER = (Path(__file__).parent / "fixtures" / "older_run.json").read_bytes()


def test_an_older_record_says_how_it_ended_in_a_race_and_what_was_lowered():
    place = decode_record(OLDER, where="older").sweep
    assert place.race_result == RaceResult(
        end=RaceEnd.BEATEN, samples=21, total=164, by="good-Q8_0 human_eval"
    )
    assert place.reductions == (
        Reduction(setting="gpu_layers", before=25, after=18),
        Reduction(setting="ctx_size", before=4096, after=2048),
    )


def test_it_is_written_anew_with_types_alone():
    record = decode_record(OLDER, where="older")
    line = encode_record(record)
    assert decode_record(line, where="newer") == record
    place = json.loads(line)["sweep"]
    assert (place["race"], place["reduced"]) == ("", [])
    assert place["race_result"]["end"] == "beaten"


def test_it_stands_in_a_table_as_it_did(tmp_path):
    good = record_run(tmp_path, [P] * 20, model="good-Q8_0")
    folder = tmp_path / json.loads(OLDER)["run_id"]
    folder.mkdir()
    (folder / "run.json").write_bytes(OLDER)
    (folder / "settings.json").write_bytes((good.path / "settings.json").read_bytes())
    (table,) = make_tables(all_records(tmp_path, warn=pytest.fail), warn=pytest.fail)
    best, stopped = table.rows
    assert (best.versus.rank, stopped.versus.rank) == (Rank.BEST, Rank.STOPPED)
    assert rank_text(stopped) == "beaten by good-Q8_0 human_eval (race)"
    assert notes(stopped) == [
        "too many answers lost to be the best",
        "reduced: gpu_layers from 25 to 18",
        "reduced: ctx_size from 4096 to 2048",
        "stopped after 21 of 164 samples",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "winner after 48 of 164 samples",
        "in front after 6 of 6 samples",
        "not beaten after 6 of 6 samples",
        "stopped after 21 of 164 samples: beaten by a: b, and c",
        "stopped after 21 of 164 samples: behind good human_eval, and would not be shown better",
        "withdrawn after 0 of 164 samples: it failed",
    ],
)
def test_every_end_of_a_race_is_read_and_said_as_before(words):
    result = SweepPlace(sweep_id="s", fingerprint="f", label="l", nonce="n", race=words).race_result
    assert race_text(result) == words


@pytest.mark.parametrize(
    "words", ["", "stopped after 3 of 4 samples", "nobody knows", "winner after x of y samples"]
)
def test_other_words_are_no_end(words):
    assert SweepPlace(sweep_id="s", fingerprint="f", label="l", nonce="n", race=words).race_result is None


@pytest.mark.parametrize(
    ("line", "loss"),
    [
        (
            {"outcome": "infrastructure_error", "detail": "prompt does not fit the context of a slot: x"},
            Loss.PROMPT_TOO_LONG,
        ),
        ({"outcome": "infrastructure_error", "detail": "HTTP status 500: x, 3 times"}, None),
        ({"outcome": "failed", "detail": "prompt does not fit"}, None),
        ({"outcome": "infrastructure_error", "loss": "not_judged"}, Loss.NOT_JUDGED),
    ],
)
def test_an_older_completion_says_that_its_prompt_did_not_fit(line, loss):
    assert msgspec.json.decode(json.dumps({"task_id": "t", **line}), type=Completion).loss is loss
