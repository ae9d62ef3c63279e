"""Events of anybody's script: what is understood has its type, and what is not is passed over."""

from __future__ import annotations

import pytest

from runner.display import Bar, Lines, TrialLines
from runner.events import EventTail, last_error
from tests.odd_values import ODD

EVENTS = ("start", "progress", "phase", "trial", "error", "x")
NAMES = (
    "done",
    "total",
    "completion_tokens",
    "in_flight",
    "finished",
    "phase",
    "kind",
    "message",
    "hint",
    "event",
    "time_s",
    "trial",
    "best",
)


@pytest.mark.parametrize("what", ODD)
@pytest.mark.parametrize("display", [Lines, Bar])
def test_an_event_of_the_wrong_shape_is_passed_over(tmp_path, display, what):
    path = tmp_path / "script.out"
    tail = EventTail(path)
    value = ODD[what]
    lines = [f'{{"event": "{event}", "{name}": {value}}}' for event in EVENTS for name in NAMES]
    whole = '{"event": "progress", "done": 3, "total": 4, "more": [1]}'
    path.write_text("\n".join([*lines, value, whole, ""]))
    events = []
    while tail.size_bytes < path.stat().st_size:
        events += tail.read()
    assert events[-1] == {
        "event": "progress",
        "done": 3,
        "total": 4,
        "completion_tokens": 0,
        "in_flight": None,
        "time_s": 0.0,
    }
    shown = display()
    for event in events:
        assert all(isinstance(event[name], int | None) for name in NAMES[:4] if name in event)
        if event["event"] == "progress":
            shown.progress(event)
        if event["event"] == "trial":
            assert TrialLines().line(event).startswith("  trial ")
    shown.close()
    assert all(len(text) <= 2000 for text in last_error(path.read_text()).values())


def test_the_last_error_that_is_one_counts():
    said = '{"event": "error", "message": "a", "hint": "b", "kind": "c"}\n{"event": "error", "message": []}\nnoise\n'
    assert last_error(said) == {"kind": "c", "message": "a", "hint": "b"}
    assert last_error("") == {}
