"""What is told of a search for a better prompt: its gain, its cost, where its prompt comes from, and the prompt."""

from __future__ import annotations

import pytest

from results.views.report.contents import runs_report
from results.views.report.markdown import markdown
from results.views.report.page import page
from results.views.run_text import summary_rows
from tests.command_line import bench_runners
from tests.results.recorded_runs import F, P, record_run
from tests.results.recorded_searches import GAIN, SEED, record_search

EVIL = "</pre><script>alert(1)</script>\x1b[2J````\n# Not a heading\n{{ 7 * 7 }} =cmd"


def of(*folders):
    return runs_report([(folder, folder.read_record()) for folder in folders], warn=pytest.fail)


def test_a_report_of_searches_tells_what_each_found(tmp_path):
    found = of(record_search(tmp_path), record_search(tmp_path))
    text = markdown(found)
    assert "| gsm8k | m | gepa | 40.0 | 70.0 | 0.004 | yes | 330 |" in text
    assert "**gain shown: 40.0 -&gt; 70.0 on 50 test samples**" in text
    assert f"lineage: made of {SEED.sha256[:8]}, abababab (the seed prompt first); seed 5" in text
    assert "```\nCheck each step.\n```" in text
    assert "run --prompt" in text
    assert len({each.name for each in found.searches}) == 2
    assert found.counts == "2 runs"
    html = page(found)
    for told in ("Searches for a better prompt", "Check each step.", "It is 42.", found.searches[0].run_id):
        assert told in html
    for missing in ("No run succeeded", "Nothing to choose from"):
        assert missing not in text
        assert missing not in html


def test_searches_stand_beside_the_tables_and_not_in_them(tmp_path):
    found = of(record_run(tmp_path, [P, F], benchmark="gsm8k", model="m"), record_search(tmp_path))
    (table,) = found.tables
    assert [row.record.is_search for row in table.rows] == [False]
    assert found.counts == "2 runs"
    assert '<a href="#searches">' in page(found)


def test_text_of_a_reflector_stays_text(tmp_path):
    found = of(record_search(tmp_path, instruction=EVIL))
    html, text = page(found), markdown(found)
    assert "<script" not in html
    assert "{{ 7 * 7 }}" in html
    assert "\x1b" not in html + text
    assert "`````\n</pre>" in text  # a fence that is longer than any in it


def test_without_a_gain_that_is_said(tmp_path):
    (search,) = of(record_search(tmp_path, gain=None)).searches
    assert (search.says, search.shown) == ("no gain shown: the budget had no room for the test", False)
    assert search.cells[-2:] == ("not shown", "330")


@pytest.mark.parametrize("instead", [None, b"{}", b'{"prompt": {"instruction": "Another one."}}'])
def test_a_prompt_file_that_is_not_what_was_tested_is_not_shown_as_that(tmp_path, instead):
    folder = record_search(tmp_path)
    path = folder.path / "prompt.json"
    path.unlink()
    if instead is not None:
        path.write_bytes(instead)
    rows = dict(summary_rows(folder.read_record(), folder.path))
    assert "its prompt.json" in rows["WARNING"]
    assert not {"use it", "lineage"} & rows.keys()
    assert of(folder).searches[0].prompt == ()


def test_a_report_without_names_has_searches_too_and_the_leaderboard_says_where_they_are(tmp_path):
    record_search(tmp_path)
    where = ("--results-dir", tmp_path)
    report, leaderboard, listed = bench_runners(("report", *where), ("leaderboard", *where), ("list", *where))
    assert (report.code, GAIN.says in report.out) == (0, True), report.err
    assert "made by a search for a better prompt (see list)" in leaderboard.err
    assert "search by gepa: 40.0 to 70.0 on test, gain shown" in listed.out
