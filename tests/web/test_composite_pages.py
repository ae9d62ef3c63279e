"""Composite scores on pages and in the API: what is unknown is said, and only like stands beside like."""

from __future__ import annotations

import csv
import io
import re

import pytest

from results.json_text import encode
from results.records import Completion
from results.scores.composite import Part
from tests.results.composite_runs import composite
from tests.results.recorded_runs import F, P, record_run
from tests.web.page_app import page_app, reader

LEVELS = ("easy", "medium", "hard", "extreme")
OWN = "<b>mine</b>"
WEIGHTS = {"correctness": 0.5, OWN: 0.5}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    given = {
        "high": composite(90, 90, 90, 90, by_difficulty=True, target_s=3.0),
        "low": composite(20, 20, 20, 20, by_difficulty=True, target_s=3.0),
        "partial": composite(99, None, 99, 99, by_difficulty=True, target_s=3.0, why_not="its <i>speed</i>"),
        "other": composite(100, own={OWN: 100.0}, weights=WEIGHTS, scorers={OWN: "5d" * 32}),
        "plain": None,
    }
    runs = {}
    for number, (name, each) in enumerate(given.items()):
        outcomes = [P] * (9 - number) + [F] * number
        run = record_run(folder / "results", outcomes, model=name, composite=each)
        lines = [
            Completion(task_id=f"T/{at}", outcome=one, passed=one is P, tags={"difficulty": LEVELS[at % 4]})
            for at, one in enumerate(outcomes)
        ]
        run.completions.write_bytes(b"".join(encode(line) + b"\n" for line in lines))
        runs[name] = run
    return reader(page_app(folder / "results", folder)), {name: run.run_id for name, run in runs.items()}


def get(made, path):
    answer = made[0].get(path)
    assert answer.status_code == 200, answer.text[-2000:]
    assert "<b>mine" not in answer.text
    assert "<i>speed" not in answer.text
    return answer.text


def rows(made, path):
    text = made[0].get(f"{path}{'&' if '?' in path else '?'}format=csv").text
    return [*csv.DictReader(io.StringIO(text))]


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("<main")[2]).split())


def test_the_leaderboard_is_sorted_by_composites_that_can_be_compared(made):
    text = get(made, "/?benchmark=human_eval&order=composite")
    assert 'aria-sort="descending"><a href="/?benchmark=human_eval&amp;order=composite"' in text
    assert "n/a" in words(text)
    assert "99.0 (95.0 to 100.0) without speed" in words(text)
    assert "No composite for partial: speed: its" in words(text)
    found = rows(made, "/?benchmark=human_eval&order=composite")
    assert [each["model"] for each in found] == ["high", "low", "partial", "other", "plain"]
    assert [each["scored"] for each in found] == ["a", "a", "a", "b", ""]
    assert [each["composite"] for each in found[1:3]] == ["20.0", ""], "an unknown one is no figure"
    assert found[3][f"{OWN}_points"] == "100.0"


def test_the_list_of_runs_has_composites_where_there_are_any(made):
    text = words(get(made, "/runs?model=partial"))
    assert re.search(r"score .*composite .*n/a 99\.0 \(partial\)", text)
    assert "composite" not in words(get(made, "/runs?model=plain"))
    found = {
        each["model"]: (each["composite"], each["partial_composite"][:4]) for each in rows(made, "/runs")
    }
    assert found == {
        "high": ("90.0", ""), "low": ("20.0", ""), "partial": ("", "98.9"), "other": ("100.0", ""), "plain": ("", ""),
    }  # fmt: skip


def test_a_csv_file_has_as_many_cells_as_headings(made):
    for each in rows(made, "/?benchmark=human_eval"):
        assert None not in each.values()
        assert each["run_id"] == made[1][each["model"]]


def test_runs_are_ranked_by_the_composite_on_each_difficulty(made):
    text = get(made, "/rankings?tag=difficulty")
    assert '<a href="/rankings?tag=difficulty&amp;what=composite">By composite</a>' in text
    text = words(get(made, "/rankings?tag=difficulty&what=composite"))
    assert text.index("extreme") > text.index("hard") > text.index("medium") > text.index("easy")
    assert "tested against the best" not in text, "composites are not tested"
    found = rows(made, "/rankings?tag=difficulty&what=composite&order=extreme")
    assert [each["model"] for each in found] == ["high", "low", "partial", "other"]
    assert [each["difficulty=hard"] for each in found] == ["70.0", "0.0", "", ""], "a partial one is none"


def test_a_run_shows_its_parts_with_weights_and_reasons(made):
    text = words(get(made, f"/runs/{made[1]['partial']}"))
    assert "Partial composite 99.0 of 100, from 3 parts" in text
    assert "of correctness, quality and efficiency only" in text
    assert re.search(r"speed\s+n/a\s+20 its", text)
    assert re.search(r"extreme n/a 69\.0 \(65\.0 to 73\.0\) without speed", text)
    assert "Composite 90.0 of 100, 86.0 to 94.0" in words(get(made, f"/runs/{made[1]['high']}"))
    assert "omposite" not in words(get(made, f"/runs/{made[1]['plain']}"))


def test_an_answer_has_its_parts(made):
    client, runs = made
    folder = client.app.state.services.store.folder(runs["high"]).path
    line = {"task_id": "T/1", "parts": {"quality": 61.5}, "why_not": {"speed": "<u>x</u>"}}
    (folder / "parts.jsonl").write_bytes(encode(line) + b"\n")
    text = get(made, f"/runs/{runs['high']}/samples/T/1")
    assert "Parts of its composite score speed n/a: &lt;u&gt;x&lt;/u&gt; quality 61.5" in words(text)
    assert "composite score" not in words(get(made, f"/runs/{runs['high']}/samples/T/2"))


def test_two_runs_are_compared_by_their_composites(made):
    client, runs = made
    for name, value in (("high", 90.0), ("low", 20.0)):
        folder = client.app.state.services.store.folder(runs[name]).path
        speed = {"speed": {"reference_s": value, "response_s": 100.0}}
        lines = [
            {"task_id": f"HumanEval/{at}", "parts": dict.fromkeys(Part, value), "figures": speed}
            for at in range(20)
        ]
        (folder / "parts.jsonl").write_bytes(b"".join(encode(line) + b"\n" for line in lines))
    text = words(get(made, f"/compare?run={runs['high']}&run={runs['low']}"))
    assert "composite high 90.0, low 20.0 of 100, on 20 samples" in text
    text = words(get(made, f"/compare?run={runs['high']}&run={runs['plain']}"))
    assert "composite only high has one" in text


def test_the_api_gives_parts_weights_and_what_sets_composites_apart(made):
    found = (
        made[0]
        .get("/api/v1/benchmarking/leaderboard?suite=human_eval&metric=composite")
        .json()["leaderboard"]
    )
    each = {row["model"]: row["composite"] for row in found}
    assert [*each] == ["high", "low", "partial", "other", "plain"]
    assert each["plain"] is None
    assert each["partial"]["value"] is None
    assert each["partial"]["partial"] == pytest.approx(99)
    assert each["partial"]["parts"]["speed"] == {
        "value": None, "low": None, "high": None, "why_not": "its <i>speed</i>",
    }  # fmt: skip
    assert each["high"]["speed_against"] == "a target of 3 s"
    assert each["high"]["by_tag"]["difficulty"]["easy"] == 90.0
    assert each["other"]["scorers"] == {OWN: "5d" * 32}
