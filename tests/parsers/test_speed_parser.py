"""Figures of speed are believed only where they follow from the requests on disk."""

from __future__ import annotations

import json

import msgspec
import pytest

from parsers import registry
from parsers.contract import ScriptOutput
from results.errors import ParseError
from results.stats.speed import Load, SpeedRequest, figures

LOAD = Load(concurrency=1, prompt_tokens=10, output_tokens=3)


def requests(attempt=1, ttft_s=0.25):
    return [
        SpeedRequest(
            load=LOAD, attempt=attempt, index=index, count=4, start_s=float(index), ttft_s=ttft_s,
            e2e_s=ttft_s + 0.123457, gaps_s=(0.06, 0.063457), prompt_tokens=10, completion_tokens=3,
        )
        for index in range(4)
    ]  # fmt: skip


def summary(loads, **more):
    return {
        "event": "summary",
        "benchmark": "speed",
        "score": None,
        "loads": msgspec.to_builtins(loads),
        **more,
    }


def output(folder, lines, event):
    (folder / "requests.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    stdout = json.dumps({"event": "start"}) + "\n" + (json.dumps(event) + "\n" if event else "")
    return ScriptOutput(stdout, "", folder, 0)


def parse(*of):
    return registry.get("speed").parse(output(*of))


def test_figures_are_computed_anew_and_named_with_their_unit(tmp_path):
    score = parse(
        tmp_path, requests(), summary([figures(requests())], warnings=["careful"], new_completions=5)
    )
    assert (score.score, score.completions, score.prompt_tokens, score.completion_tokens) == (None, 4, 40, 12)
    assert score.generate_s == pytest.approx(3.373457)
    assert score.warnings == ("careful",)
    assert score.details["new_completions"] == 5
    speed = score.details["speed"]
    assert speed["pp10+tg3 x1: TTFT, p50, ms"] == 250
    assert speed["pp10+tg3 x1: output throughput, tokens/s"] == pytest.approx(12 / 3.373457, abs=1e-6)
    assert score.details["loads"][0]["load"] == {"concurrency": 1, "prompt_tokens": 10, "output_tokens": 3}


def test_requests_of_an_earlier_attempt_do_not_count(tmp_path):
    lines = [*requests(ttft_s=9.0)[:2], *requests(attempt=2)]
    score = parse(tmp_path, lines, summary([figures(requests(attempt=2))]))
    assert score.details["loads"][0]["ttft_ms"]["max"] == 250


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda event: event["loads"][0]["ttft_ms"].update(p50=249.0), "ttft_ms.p50 249.0 instead of 250.0"),
        (lambda event: event["loads"][0].update(completed=5), "completed 5 instead of 4"),
        (lambda event: event["loads"][0].update(tpot_ms=None), "tpot_ms"),
        (
            lambda event: event["loads"][0]["load"].update(concurrency=2),
            "x2: 0 of its requests are in the journal",
        ),
        (lambda event: event.update(loads=[]), "it has no loads"),
        (lambda event: event.update(loads="many"), "malformed"),
    ],
)
def test_a_summary_that_does_not_follow_from_the_requests_is_an_error(tmp_path, change, said):
    event = summary([figures(requests())])
    change(event)
    with pytest.raises(ParseError, match=r"disagrees|malformed") as raised:
        parse(tmp_path, requests(), event)
    assert said in raised.value.message


def test_a_request_that_is_missing_or_torn_is_an_error(tmp_path):
    event = summary([figures(requests())])
    with pytest.raises(ParseError, match="3 of its requests are in the journal"):
        parse(tmp_path, requests()[:3], event)
    given = output(tmp_path, requests(), event)
    journal = tmp_path / "requests.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    with pytest.raises(ParseError, match="1 of its lines can't be read"):
        registry.get("speed").parse(given)
    journal.unlink()
    with pytest.raises(ParseError, match="cannot read"):
        registry.get("speed").parse(given)


def test_output_without_a_summary_is_an_error_that_shows_its_end(tmp_path):
    with pytest.raises(ParseError, match="summary") as raised:
        parse(tmp_path, requests(), None)
    assert "start" in raised.value.log_tail
