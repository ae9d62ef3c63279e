"""A report in a real browser, light and dark, wide and narrow, and printed: `make test-pages`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from results.store.sweep_folder import SweepFolder
from results.views.report.contents import runs_report, sweep_report
from results.views.report.page import page
from tests.browser.made_sweeps import ALIKE, HARD, QUANTS, as_json, made_sweep
from tests.results.recorded_runs import F, P, record_run

pytestmark = pytest.mark.pages
PAGES = ["quants", "hard", "ties", "nothing solved", "one run", "only speed"]


def reports(folder: Path) -> dict[str, str]:
    """The pages by name, each of PAGES."""

    def swept(name, models, **facts) -> str:
        return page(
            sweep_report(SweepFolder(made_sweep(folder / name, models, **facts).path), warn=pytest.fail)
        )

    def of(*runs) -> str:
        return page(runs_report([(run, run.read_record()) for run in runs], warn=pytest.fail))

    zero = [each._replace(share=-1.0, joules=None) for each in QUANTS[:2]]
    speed = [
        record_run(folder / "speed", model=f"m{n}", benchmark="speed", no_verdicts=True, score=None)
        for n in range(2)
    ]
    return {
        "quants": swept("quants", QUANTS, problems=30, failed=True),
        "hard": swept("hard", HARD, problems=16, failed=True),
        "ties": swept("ties", ALIKE, problems=10),
        "nothing solved": swept("zero", zero, problems=10),
        "one run": of(record_run(folder / "one", [P, F, F], model="Only-1B-Q4_0")),
        "only speed": of(*speed),
    }


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What a browser finds on each page."""
    python, chromium = os.environ.get("BROWSER_PYTHON"), os.environ.get("CHROMIUM")
    if python == "none":
        pytest.skip("no Chromium")
    if not python or not chromium:
        pytest.fail("run these tests by `make test-pages`")
    folder = tmp_path_factory.mktemp("pages")
    files = {}
    for name, text in reports(folder).items():
        files[name] = folder / f"{name}.html"
        files[name].write_text(text, encoding="utf-8")
    look = Path(__file__).with_name("look_at_pages.py")
    done = subprocess.run([python, look, chromium, *files.values()], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    return {name: found[str(file)] for name, file in files.items()}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(seen, name):
    """Also with all answers opened: contrast, names, headings, tables, keyboards."""
    for variant in seen[name]["variants"]:
        assert variant["axe"] == [], as_json(variant)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_the_screen_and_scrollers_can_be_reached(seen, name):
    for variant in seen[name]["variants"]:
        assert (variant["overflow"], variant["overflow_open"]) == (0, 0), as_json(variant)
        assert variant["unreachable"] == [], "a keyboard can't scroll it"


@pytest.mark.parametrize("name", PAGES)
def test_no_text_of_a_plot_covers_another_one_or_a_mark(seen, name):
    for variant in seen[name]["variants"]:
        plots = variant["plots"]
        assert plots["overlapping"] == [], as_json(variant)
        assert plots["covered"] == [], as_json(variant)
        if variant["width"] > 1000 and plots["smallest_px"] is not None:
            assert plots["smallest_px"] >= 11.9
    if name in {"quants", "hard"}:
        assert seen[name]["variants"][0]["plots"]["labels"] >= 15, "they are there at all"


@pytest.mark.parametrize("name", ["quants", "hard", "nothing solved"])
def test_a_sign_leads_to_its_answer_without_a_script(seen, name):
    opened = [variant["opened"] for variant in seen[name]["variants"]]
    assert opened == [True] * len(opened)


@pytest.mark.parametrize("name", PAGES)
def test_the_page_asks_for_nothing_and_nothing_is_blocked(seen, name):
    assert {url.partition(":")[0] for url in seen[name]["requests"]} == {"file"}
    assert len(seen[name]["requests"]) == len(seen[name]["variants"])
    assert seen[name]["complaints"] == []


@pytest.mark.parametrize(("name", "most"), [("quants", 6), ("hard", 6), ("one run", 2), ("only speed", 2)])
def test_it_prints_on_a_few_sheets(seen, name, most):
    assert 1 <= seen[name]["printed_pages"] <= most
