"""The grid, one answer, and two side by side: what they say, how large they are, and that no answer acts."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from results.store.reading.folder_run_store import FolderRunStore
from tests.web.answered_runs import HOSTILE, answer_run, hostile_run, tool_run, write_lines
from tests.web.door import client, key, services
from web.app import create_app
from web.pages.answers.links import pair_url, sample_url
from web.pages.answers.pair import diff_of

MOST_BYTES = 120_000
TASK = "HumanEval/4"


@pytest.fixture(scope="module")
def results_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def runs(results_dir):
    made = {"good": answer_run(results_dir, "Big-Q8_0", 0.9), "bad": answer_run(results_dir, "Big-Q2_K", 0.2)}
    made["several"] = answer_run(results_dir, "Repeat", 0.5, number=5, n_samples=3)
    made["tools"] = tool_run(results_dir)
    made["hostile"] = hostile_run(results_dir)
    return {name: folder.run_id for name, folder in made.items()}


@pytest.fixture(scope="module")
def browser(results_dir, runs):
    found = dataclasses.replace(services(results_dir), store=FolderRunStore(results_dir))
    app = create_app(found, hold_back_s=0.0, remember_s=0.0)
    return client(app, key(app))


def _page(browser, url):
    answer = browser.get(url)
    assert answer.status_code == 200, answer.text
    assert len(answer.content) <= MOST_BYTES
    return answer.text


def test_the_grid_begins_with_problems_on_which_runs_differ(browser, runs):
    text = _page(browser, f"/tasks?run={runs['good']}&run={runs['bad']}")
    assert text.index("The runs differ") < text.index("Solved by every run")
    row = re.search(rf'<tr><th scope="row"><a href="([^"]*)">{TASK}</a></th>(.*?)</tr>', text)
    assert row is not None
    assert re.findall(r'class="(\w)"><a href="([^"]*)" aria-label="(\w+)">(.)</a>', row[2]) == [
        ("p", sample_url(runs["good"], TASK), "solved", "✓"),
        ("f", sample_url(runs["bad"], TASK), "wrong", "✗"),
    ]
    assert row[1].replace("&amp;", "&") == pair_url(TASK, runs["good"], runs["bad"])


def test_several_completions_are_counted_and_linked(browser, runs):
    assert re.search(r'aria-label="\d of 3 solved">\d/3<', _page(browser, f"/tasks?run={runs['several']}"))
    text = _page(browser, sample_url(runs["several"], "HumanEval/1", 2))
    assert len(re.findall(r"<nav class=\"indexes\".*?</nav>", text)[0].split("<a ")) == 1 + 3
    assert 'aria-current="page">2 ' in text


def test_a_grid_without_runs_says_what_to_do(browser):
    assert "No run of needle with answers has finished yet" in _page(browser, "/tasks?benchmark=needle")


def test_an_answer_says_why_it_failed_and_shows_what_was_executed(browser, runs):
    text = _page(browser, sample_url(runs["bad"], TASK))
    for part in ("got False, not True", "<dt>expected</dt><dd><code>True</code>", "<summary>Thinking, ",
                 "You are a careful programmer.", '<span class="tk">def</span>', "difficulty"):  # fmt: skip
        assert part in text, part
    assert text.index("got False") < text.index("Executed code")


def test_a_conversation_shows_its_tool_calls(browser, runs):
    text = _page(browser, sample_url(runs["tools"], "weather/1"))
    assert "Calls <code>get_weather</code>" in text
    assert "Tools that it could call: <code>get_weather</code>" in text
    assert "It is 21 °C" in text


def test_two_answers_stand_side_by_side_from_their_first_difference(browser, runs):
    text = _page(browser, pair_url(TASK, runs["good"], runs["bad"]))
    assert text.count('id="first-difference"') == 1
    assert re.search(r"The same up to character [\d,]+, in line [\d,]+", text)
    assert "<del>" in text
    assert "lines are the same" in text
    assert "No line differs." in _page(browser, pair_url(TASK, runs["good"], runs["good"]))


def test_a_problem_lists_what_each_run_made_of_it(browser, runs):
    text = _page(browser, pair_url(TASK, benchmark="human_eval"))
    assert re.search(r"Solved by \d of 3 runs", text)
    assert f"b={runs['bad']}" in text


def test_what_is_not_there_is_a_404_page(browser, runs):
    for url in (
        sample_url(runs["good"], "no/such"), sample_url("20261121T000000Z-x-y-0000", TASK),
        sample_url(runs["good"], TASK, part="nothing"), pair_url("no/such", runs["good"], runs["bad"]),
        "/runs/..%2f..%2fetc/samples/x", pair_url("no/such", benchmark="human_eval"),
    ):  # fmt: skip
        assert browser.get(url).status_code == 404, url


class _Elements(HTMLParser):
    """What a browser would act on."""

    def __init__(self):
        super().__init__()
        self.active = []

    def handle_starttag(self, tag, attrs):
        names = dict(attrs)
        own = tag == "script" and (names.get("src") or "").startswith("/static/")
        if (tag in {"script", "iframe", "object", "embed", "img", "base"} and not own) or "style" in names:
            self.active.append((tag, attrs))
        if any(name.startswith("on") for name in names) or (names.get("href") or "").startswith("javascript"):
            self.active.append((tag, attrs))


@pytest.mark.parametrize("task", ["HumanEval/0", "HumanEval/1", "HumanEval/2", f"../{HOSTILE}"])
def test_hostile_answers_act_on_no_page(browser, runs, task):
    for url in (sample_url(runs["hostile"], task), pair_url(task, runs["hostile"], runs["hostile"], whole="1"),
                f"/tasks?run={runs['hostile']}", pair_url(task, benchmark="human_eval")):  # fmt: skip
        text = _page(browser, url)
        found = _Elements()
        found.feed(text)
        assert found.active == []
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


def test_a_text_too_long_for_the_page_can_be_saved_and_is_not_opened(browser, runs):
    url = sample_url(runs["hostile"], "HumanEval/2")
    assert "more characters in this line" in _page(browser, url)
    saved = browser.get(sample_url(runs["hostile"], "HumanEval/2", part="answer"))
    assert saved.headers["content-type"] == "text/plain; charset=utf-8"
    assert saved.headers["x-content-type-options"] == "nosniff"
    assert re.fullmatch(r'attachment; filename="[\w.-]+\.txt"', saved.headers["content-disposition"])
    assert len(saved.text) > 1_000_000


def test_a_diff_of_many_lines_comes_in_parts_that_join():
    first = "\n".join(f"line {n} = {n}" for n in range(1200))
    second = first.replace("7", "8")
    assert any("<mark>" in row.left for row in diff_of(first, second, code=True).rows)
    rows, begin = [], 0
    while begin is not None:
        part = diff_of(first, second, code=True, begin=begin, whole=True)
        assert sum(len(row.left) + len(row.right) for row in part.rows) < MOST_BYTES
        rows += part.rows
        begin = part.next
    assert [row.first for row in rows if row.first] == [*range(1, 1201)]
    assert sum(row.is_first_change for row in rows) == 1


def test_every_id_of_a_sample_comes_back_from_its_address(browser, results_dir, runs):
    from results.records import Completion, Outcome
    from tests.results.recorded_runs import record_run

    ids = [
        "a/b",
        "..",
        "a/../b",
        "a//b",
        "/a",
        "a/",
        ".",
        "a?b#c&d=e",
        "a%2Fb",
        "a b",
        "ä→",
        "a\\b",
        "a\nb",
        ";a",
        "x:y",
    ]
    folder = record_run(results_dir, [Outcome.PASSED], model="Odd-ids", benchmark="odd")
    write_lines(
        folder, [Completion(task_id=each, outcome=Outcome.PASSED, passed=True, answer="1") for each in ids]
    )
    for each in ids:
        answer = browser.get(sample_url(folder.run_id, each, part="answer"))
        assert (answer.status_code, answer.text) == (200, "1"), each
