"""A sweep's report: what it says, that its page needs nothing else, and that nothing in a record can get into it."""

from __future__ import annotations

import html.parser
import json
import re
from collections import Counter

import msgspec
import pytest

from results.records import ErrorRecord, RunStatus, ServerFacts
from results.store.run_folder import RunFolder
from results.telemetry import TelemetrySummary
from results.views.report.contents import sweep_report
from results.views.report.markdown import markdown, plain
from results.views.report.page import page
from results.views.report.plots import Point, pareto_front
from results.views.telemetry_lines import MOST_POINTS, read_lines, thinned
from tests.results.recorded_runs import F, P, begin_sweep, place, record_run

EVIL = (
    '"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)> $x^2$ & | `a` [b](http://c)'
)
VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(html.parser.HTMLParser):
    """The tags of a page, their attributes, its text; that tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.open = Counter(), [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def measured(memory_gib, joules, **facts):
    return TelemetrySummary(
        peak_memory_bytes=int(memory_gib * 2**30), joules_per_solved=joules, used=("GPU-1",), **facts
    )


@pytest.fixture
def report(tmp_path):
    """Four runs that succeeded, one that failed, one that never began."""
    labels = ["big", "small", "bad", EVIL, "broken", "late"]
    folder = begin_sweep(tmp_path, labels)
    facts = {
        "big": ([P] * 30, measured(8, 40.0), 70.0),
        "small": ([P] * 29 + [F], measured(2, 10.0), 200.0),
        "bad": ([P] * 3 + [F] * 27, measured(1, 90.0), 300.0),
        EVIL: ([P] * 20 + [F] * 10, measured(9, 50.0, not_comparable=(f"hot {EVIL}",)), 900.0),
    }
    for label, (outcomes, telemetry, speed) in facts.items():
        run = record_run(
            tmp_path, outcomes, model=label, sweep=place(folder, label), telemetry=telemetry,
            details={"tokens_per_s": speed}, config={"path": "/m", "extra": label, "temperature": 0.5},
            server=ServerFacts(kind="llama.cpp", effective={"build": "b1" if label == "big" else "b2"}),
        )  # fmt: skip
        ticks = [
            {"time_s": n / 10, "phase": "load" if n < 9 else "generate",
             "devices": [{"uuid": "GPU-1", "power_w": 10.0 * n, "utilization": 0.5}]}
            for n in range(30)
        ]  # fmt: skip
        run.telemetry.write_text("".join(json.dumps(tick) + "\n" for tick in ticks))
    error = ErrorRecord(kind="server", message=f"no memory {EVIL}", hint="a smaller context", log_tail=EVIL)
    record_run(tmp_path, model="broken", status=RunStatus.FAILED, score=None, error=error,
               sweep=place(folder, "broken"))  # fmt: skip
    return sweep_report(folder, warn=pytest.fail)


def test_the_conclusion_says_what_is_best_and_what_may_be(report):
    first, as_good, worse, cheapest = report.conclusions[0]
    assert first.startswith("big has the highest score: 100.0 of 100 (95 % interval 88.6 to 100.0;")
    assert as_good.startswith(
        "Not distinguishable from it on these samples, so possibly as good or better: small"
    )
    assert "bad by 90.0 points (p < 0.001)" in worse
    assert cheapest == (
        "Of these 2: small is the fastest (200.0 tokens/s); small uses the least "
        "GPU memory (2.00 GiB); small uses the least energy (10.0 J per solved sample)."
    )
    assert report.counts == "6 planned runs, 4 succeeded, 1 without a result, 1 not started"


def test_a_disturbed_run_is_not_called_the_fastest(tmp_path):
    folder = begin_sweep(tmp_path, ["calm", "hot"])
    for label, reasons, speed in (("calm", (), 10.0), ("hot", ("throttled",), 99.0)):
        record_run(tmp_path, [P] * 9, model=label, sweep=place(folder, label), details={"tokens_per_s": speed},
                   telemetry=TelemetrySummary(not_comparable=reasons))  # fmt: skip
    sentences = sweep_report(folder, warn=pytest.fail).conclusions[0]
    assert [*sentences[-2:]] == [
        "Of these 2: calm is the fastest (10.0 tokens/s).",
        "Not ranked by speed because their speed was disturbed: hot.",
    ]


def test_the_page_needs_nothing_else_and_runs_nothing(report):
    found = Page(page(report))
    assert not {"script", "img", "iframe", "object", "embed", "link", "form", "base"} & found.tags.keys()
    for tag, name, value in found.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in {"src", "href", "xlink:href", "action", "data", "poster"}:
            assert value.startswith("#"), (tag, name, value)
        assert "url(" not in value or "url(#" in value
    assert "url(http" not in page(report)
    assert "@import" not in page(report)


def test_what_a_record_says_is_shown_as_text(report):
    text = page(report)
    found = Page(text)
    assert "<script" not in text
    assert "evil.example" in "".join(found.words), "it is there, as words"
    assert [value for _, name, value in found.attributes if "evil" in value and name != "title"] == []


def test_all_runs_are_there_with_captions_and_headings(report):
    text = page(report)
    found = Page(text)
    words = "".join(found.words)
    for label in ("big", "small", "bad", "broken", "late"):
        assert label in words
    assert found.tags["caption"] == found.tags["table"]
    assert found.tags["figcaption"] == found.tags["figure"] == 3
    drawings = re.findall(r"<svg[^>]*>(.{0,7})", text)
    decoration = re.findall(r"<svg[^>]*aria-hidden[^>]*>", text)
    assert drawings.count("<title ") + drawings.count("<title>") == len(drawings) - len(decoration)
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert len(decoration) >= 4, "the bars of the intervals, whose figures stand beside them"
    used = re.findall(r'(?:href="|url\()#([^")]+)', text) + re.findall(r'aria-labelledby="([^"]+)"', text)
    assert used
    assert set(used) <= set(ids)


def test_what_failed_and_what_differs_is_said(report):
    (failure,) = report.failures
    assert (failure.label, failure.status, failure.hint) == ("broken", "failed", "a smaller context")
    assert report.waiting == ("late",)
    assert ("temperature", "0.5") in report.shared
    differing = dict(report.differing)
    assert differing["effective: build"] == (("b1", ("big",)), ("b2", ("small", "bad", EVIL)))
    assert (EVIL, f"speed not comparable: hot {EVIL}") in report.notes


def test_markdown_keeps_its_tables_and_shows_html_as_text(report):
    text = markdown(report)
    assert "<script" not in text
    assert "<img" not in text
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 2
    for table in tables:
        assert len({len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
    assert "## What failed, and why" in text
    assert "| late | not started |" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("human_eval", "human_eval"), ("_a_ *b*", r"\_a\_ \*b\*"), ("a|b\nc", r"a\|b c"), ("<b>", "&lt;b&gt;")],
)
def test_words_stay_words_in_markdown(text, shown):
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://evil.example/x", "see https&#58;//evil.example/x"),
        ("FTP://evil.example", "FTP&#58;//evil.example"),
        ("www.evil.example/x.y", "www&#46;evil.example/x.y"),
        ("a@evil.example, @ada", "a&#64;&#8203;evil.example, &#64;&#8203;ada"),
        ("score: 3.5 of 10:00", "score: 3.5 of 10:00"),
    ],
)
def test_an_address_from_outside_becomes_no_link_in_markdown(text, shown):
    """GitHub makes links of bare addresses; of those with an @ also where it stands as an entity alone."""
    assert plain(text) == shown


def point(cost, score, *, fair=True):
    return Point("l", "n", 0, cost, score, None, None, fair)


def test_the_front_has_what_nothing_beats():
    points = [
        point(1, 10),
        point(2, 30),
        point(2, 20),
        point(3, 25),
        point(4, 40),
        point(0.5, 90, fair=False),
    ]
    assert pareto_front(points, more_is_better=False) == [0, 1, 4]
    assert pareto_front(points, more_is_better=True) == [4]
    assert pareto_front([point(1, 5, fair=False)], more_is_better=True) == []


def test_a_sweep_without_any_success_has_a_report(tmp_path):
    folder = begin_sweep(tmp_path, ["a"])
    report = sweep_report(folder, warn=pytest.fail)
    assert "No run succeeded." in markdown(report)
    assert "No run succeeded." in "".join(Page(page(report)).words)


def test_a_peak_is_not_lost_when_a_line_is_thinned():
    points = [(float(n), 500.0 if n == 4321 else float(n % 7)) for n in range(10_000)]
    kept = thinned(points)
    assert len(kept) <= MOST_POINTS
    assert max(value for _, value in kept) == 500.0
    assert kept == sorted(kept)


def test_telemetry_is_of_the_devices_that_the_run_used(tmp_path):
    """Of a MIG instance the power is its card's, the memory its own; a resumed run goes on; a torn line is no line."""
    devices = [{"uuid": "MIG-1", "memory_used_bytes": 1 << 30}, {"uuid": "GPU-1", "power_w": 100.0,
               "memory_used_bytes": 9 << 30}, {"uuid": "GPU-2", "power_w": 300.0}]  # fmt: skip
    lines = [{"time_s": t, "phase": "generate", "devices": devices} for t in (0.0, 1.0, 2.0, 0.0, 1.0)]
    path = tmp_path / "telemetry.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, lines)) + b'\n{"time_s": 2.0, "ph')
    summary = TelemetrySummary(
        used=("MIG-1",), devices=({"uuid": "MIG-1", "parent_uuid": "GPU-1"}, {"uuid": "GPU-1"})
    )
    found = read_lines(path, summary)
    assert found.lines["power, W"] == [(t, 100.0) for t in (0.0, 1.0, 2.0, 2.0, 3.0)]
    assert {value for _, value in found.lines["GPU memory, GiB"]} == {1.0}
    assert found.seconds == 3.0
    assert read_lines(RunFolder(tmp_path / "none").telemetry, None) is None


def test_rates_are_over_the_time_since_a_counter_was_last_told(tmp_path):
    """The server is asked less often than the devices; one that served a run before has counted already; one that was
    started again counts anew."""

    def tick(time_s, cpu_s=None, tokens=None):
        processes = {"count": 0 if cpu_s is None else 1, "cpu_s": cpu_s or 0.0, "memory_bytes": 1}
        server = {} if tokens is None else {"server": {"generation_tokens": tokens}}
        return {"time_s": time_s, "phase": "generate", "processes": processes, **server}

    ticks = [tick(0), tick(0.001, 30.0, 500), tick(0.5, 30.5), tick(1.001, 31.0, 700), tick(1.6, 0.1, 5)]
    path = tmp_path / "telemetry.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, ticks)))
    lines = read_lines(path, None).lines
    assert lines["server's CPU, cores"] == [
        (0.5, pytest.approx(0.5 / 0.499)),
        (1.001, pytest.approx(0.5 / 0.501)),
    ]
    assert lines["tokens/s"] == [(1.001, pytest.approx(200.0))]


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ([F] * 5, "No run solved any of the 5 samples, so the scores show no difference."),
        ([P] * 4 + [F], "a, b share the highest score: 80.0 of 100 (95 % interval 37.6 to 96.4; 5 samples)."),
    ],
)
def test_equal_scores_make_no_winner(tmp_path, outcomes, sentence):
    folder = begin_sweep(tmp_path, ["a", "b"])
    for label in "ab":
        record_run(tmp_path, outcomes, model=label, sweep=place(folder, label))
    assert sweep_report(folder, warn=pytest.fail).conclusions[0][0] == sentence
