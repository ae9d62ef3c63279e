"""What a search prints names the first bad build, and says what it does not know."""

from __future__ import annotations

import pytest

from choosing.bisection import Verdict
from choosing.build_search import JudgedBuild, SearchReport
from choosing.watch_text import print_search
from results.stats.sentinel import Alarm

G, B, S = Verdict.GOOD, Verdict.BAD, Verdict.SKIPPED


def shown(capsys, verdicts, **facts):
    builds = [
        JudgedBuild(
            path=f"/b{at}/llama-server", version="" if at == 0 else f"{at} (abc)", verdict=verdict,
            why="the server exited\x1b[31m" if verdict is S else "",
        )
        for at, verdict in enumerate(verdicts)
    ]  # fmt: skip
    print_search(
        SearchReport(
            benchmark="human_eval", model="m", baseline=("run",), samples=40, level=1e-5, order="their versions",
            builds=tuple(builds), **facts,
        )
    )  # fmt: skip
    return capsys.readouterr().out


def test_the_first_bad_build_and_what_may_be_it_too(capsys):
    out = shown(
        capsys, [G, None, S, B, B], last_good=0, first_bad=3, between=(1, 2), alarms=(Alarm.SCORE,), step=True
    )
    assert "first bad: 3 (abc) (/b3/llama-server): score" in out
    assert "last good    version unknown (/b0/llama-server)" in out
    assert "may also be 1 (abc)" in out
    assert "not needed" in out
    assert "\x1b[31m" not in out


@pytest.mark.parametrize(
    ("verdicts", "facts", "words"),
    [
        ([G, G], {}, "what is between was not searched"),
        ([G, S], {}, "the newest build can't be tested"),
        ([B, B], {"first_bad": 0}, "the oldest build is bad already"),
        (
            [G, B, G, B],
            {"last_good": 2, "first_bad": 3, "out_of_order": (1,)},
            "1 (abc) (/b1/llama-server) is bad too",
        ),
        ([G, B], {"last_good": 0, "first_bad": 1, "step": False}, "several steps"),
    ],
)
def test_what_is_not_known_is_said(capsys, verdicts, facts, words):
    out = shown(capsys, verdicts, **facts)
    assert words in " ".join(out.split())
    assert ("ALARM" in out) == ("first_bad" in facts)
