"""Every page in a real Chromium: light and dark, at three widths, with and without scripts."""

from __future__ import annotations

import pytest

from tests.browser.made_sweeps import as_json
from tests.web.browser import look, site

pytestmark = pytest.mark.web
MOST_BYTES = 120_000
PAGES = [
    "leaderboard", "leaderboard of one", "rankings", "trade-offs", "history", "history of one", "runs", "no runs",
    "run", "failed run", "hostile run", "compare", "compare with hostile", "compare form", "compare not", "help",
    "rankings by composite", "run with a composite",
    "error", "grid", "sample", "answers", "jobs", "job", "start", "schedules", "machine", "login",
]  # fmt: skip


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the browser found, by the page's name."""
    folder = tmp_path_factory.mktemp("site")
    with site(folder) as there:
        pages = there.pages()
        assert sorted(pages) == sorted(PAGES)
        found = look(there, pages.values(), folder)
        return {name: found[path] for name, path in pages.items()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_there_and_axe_finds_nothing(seen, name):
    """Also with everything opened: contrast, names, headings, tables, keyboards."""
    assert seen[name]["status"] == (404 if name == "error" else 200)
    judged = [variant["axe"] for variant in seen[name]["variants"] if variant["axe"] is not None]
    assert judged == [[], []], as_json(judged)  # in both themes


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_screen_and_scrollers_can_be_reached(seen, name):
    for variant in seen[name]["variants"]:
        assert (variant["overflow"], variant["overflow_open"]) == (0, 0), as_json(variant)
        assert variant["unreachable"] == [], "a keyboard can't scroll it"


@pytest.mark.parametrize("name", PAGES)
def test_no_text_of_a_run_becomes_an_element_that_acts(seen, name):
    """Scripts are those of our own address; nothing is asked of another one; nothing is blocked or complains."""
    assert seen[name]["active"] == []
    assert seen[name]["outside"] == []
    complaints = [each for each in seen[name]["complaints"] if name != "error" or "404" not in each]
    assert complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small_and_says_something_without_scripts(seen, name):
    assert seen[name]["bytes"] <= MOST_BYTES
    assert seen[name]["text_without_scripts"] > 50


def test_charts_are_drawn_by_the_server_and_answer_to_a_pointer(seen):
    """The drawings are there without scripts; with them, telemetry is a plot that can be pointed at."""
    assert seen["trade-offs"]["drawings_without_scripts"] >= 3
    assert seen["history of one"]["drawings_without_scripts"] == 1
    assert seen["run"]["drawings_without_scripts"] >= 3
    assert seen["run"]["live_plots"] >= 3
    assert " W" in seen["run"]["pointed"], "the first chart says its value with its unit"
    assert "GiB" in seen["trade-offs"]["pointed"], "the nearest run is named, with what it costs"
    assert "2026" in seen["history of one"]["pointed"]
