"""What an earlier look at the answers still shows, and what it doesn't: the same question asked in other ways."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from choosing.recommendation.carried import evidence_of
from choosing.recommendation.recommend import recommend
from results.records import ModelIdentity, ServerFacts
from settings.asked import Asked
from tests.choosing.recorded_candidates import HALF, SOLVED, SPEEDS, RecordedRuns, fresh, models, question
from tests.results.recorded_runs import record_run


@pytest.fixture
def three(tmp_path):
    return models(tmp_path / "m", "Q8", "Q4", "Q2"), RecordedRuns(tmp_path / "r", SPEEDS, SOLVED)


def changed(way, texts, source):
    """The same question in another way."""
    if way == "another benchmark":
        return question(texts, benchmarks=("gsm8k",))
    if way == "one more benchmark":
        return question(texts, benchmarks=("human_eval", "gsm8k"))
    if way == "other settings":
        asked = question(texts)
        return dataclasses.replace(asked, benchmarks={"human_eval": Asked({"max_tokens": 4})})
    if way == "another build":
        source.build = "b9001-5d6e7f8"
    else:
        path = Path(texts[1])
        path.write_bytes(path.read_bytes().replace(b"Q4", b"Q5"))  # a file of the same size
    return question(texts)  # of a run that is there already, the answers stay those of before


@pytest.mark.parametrize(
    "way",
    ["another benchmark", "one more benchmark", "other settings", "another build", "another file"],
)
def test_what_was_shown_of_other_answers_shows_nothing_of_these(three, way):
    """Q4 is as good as Q8, and then in another way loses 10 points: it must not pass by the answers of before."""
    texts, source = three
    assert recommend(question(texts), source).head.startswith("Take Q4: ")
    asked = changed(way, texts, source)
    source.solved = {**SOLVED, "Q4": set(range(400))}
    found = recommend(asked, source)
    assert found.head.startswith("Take Q8: ")
    assert {row.label: row.verdict for row in found.rows}["Q4"] == "behind"
    assert [look.number for look in found.looks if look.number > 0] == [1, 2]


def test_a_pair_stays_settled_with_more_samples_of_the_same(three):
    """Of 800 samples Q8 and Q4 solve the same ones; of the last 200, Q4 fails 16, which alone would show nothing."""
    texts, source = three
    recommend(question(texts, limit=800), source)
    source.solved = {"Q8": HALF | set(range(800, 1000)), "Q4": HALF | set(range(816, 1000)), "Q2": set()}
    found = recommend(question(texts), source)
    assert found.head.startswith("Take Q4: ")
    assert not recommend(question(texts), fresh(source)).head.startswith("Take Q4: ")


def test_without_a_name_of_its_build_a_program_must_not_have_changed(three, tmp_path):
    program = tmp_path / "llama-server"
    program.write_text("one")

    def of_a_run(began="2999-01-01T00:00:00+00:00"):
        """As of a run with that program."""
        server = ServerFacts(kind="llama.cpp", command=(str(program),), effective={"build": "b0-unknown"})
        model = ModelIdentity(name="m", sha256="aa" * 32)
        folder = record_run(tmp_path / "r", server=server, model_identity=model, timestamp=began)
        return evidence_of("m f16", folder, folder.read_record(), 1)

    first = of_a_run()
    assert of_a_run() == first
    early = "2020-01-01T00:00:00+00:00"  # before the program was there: what it was then isn't known
    assert of_a_run(early).program != of_a_run(early).program
    program.unlink()
    time.sleep(0.02)
    program.write_text("two")
    assert of_a_run().program != first.program
    texts, source = three
    source.build = "b0-unknown"  # and its program isn't there
    recommend(question(texts, limit=800), source)
    source.solved = {**SOLVED, "Q4": set(range(400))}
    assert recommend(question(texts), source).head.startswith("Take Q8: ")
