"""The pages of results over recorded runs: conclusions, filters, states, and that no text of a run acts."""

from __future__ import annotations

import csv
import io
import re

import pytest

from results.records import Phases, Results
from tests.results.conftest import a_record
from tests.web.page_app import page_app, reader
from tests.web.shown_runs import BUILDS, shown_runs
from web.pages.run_facts import phase_parts

MOST_BYTES = 120_000
SERIES = "Qwen2.5-Coder-1.5B-Instruct-Q4_K_M"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A client that may read, and the runs by a name."""
    folder = tmp_path_factory.mktemp("pages")
    runs = shown_runs(folder / "results", problems=27)
    app = page_app(folder / "results", folder)
    return reader(app), {name: run.run_id for name, run in runs.items()}


@pytest.fixture
def get(made):
    """A page's text, as it must be."""

    def asked(path, status=200):
        answer = made[0].get(path)
        assert answer.status_code == status, answer.text[-2000:]
        assert len(answer.content) <= MOST_BYTES
        return answer.text

    return asked


@pytest.fixture
def runs(made):
    return made[1]


def words(html):
    """A page's text without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("<main")[2]).split())


def test_every_benchmark_has_its_conclusion_on_the_first_page(get):
    text = get("/")
    for benchmark in ("human_eval", "mbpp", "speed"):
        assert f">{benchmark}</a>" in text
    assert re.search(r"Take \S+|Perhaps \S+", words(text))
    assert "Models by benchmark" in text


def test_a_benchmarks_page_begins_with_what_to_take_and_says_what_is_real(get):
    text = words(get("/?benchmark=human_eval"))
    assert re.search(r"Take \S+|Perhaps \S+", text)
    assert "not distinguishable" in text
    assert "worse by" in text
    assert "p after Holm" in text


def test_the_leaderboard_is_sorted_by_what_its_heading_says(get):
    text = get("/?benchmark=human_eval&order=memory")
    assert 'aria-sort="ascending"' in text
    heading = re.search(r'<th[^>]*aria-sort="ascending"[^>]*>(.*?)</th>', text)
    assert heading is not None
    assert "memory" in heading[1]


def test_a_long_table_is_cut_into_pages(get, monkeypatch):
    monkeypatch.setattr("web.pages.leaderboard.ROWS", 4)
    text = get("/?benchmark=human_eval")
    assert "1 to 4 of" in text
    following = re.search(r'href="([^"]+)" rel="next"', text)
    assert following is not None
    second = get(following[1].replace("&amp;", "&"))
    assert "5 to 8 of" in second
    assert 'rel="prev"' in second


@pytest.mark.parametrize(
    ("query", "there", "away"),
    [
        ("status=failed", "Mixtral", "gemma"),
        ("text=gemma", "gemma", "Mixtral"),
        ("benchmark=mbpp", "mbpp", "Mixtral"),
        ("label=weekly", "weekly", "gemma"),
    ],
)
def test_runs_are_filtered_by_the_url_alone(get, query, there, away):
    table = get(f"/runs?{query}").partition("<tbody")[2]
    assert there in table
    assert away not in table


def test_a_filter_that_nothing_fits_says_so_and_shows_the_way_back(get):
    text = get("/runs?text=nothing-like-this")
    assert "No run fits these filters." in text
    assert 'href="/runs"' in text


def test_an_odd_value_in_a_url_is_no_error(get):
    for query in ("order=nonsense", "status=nonsense", "archived=1", "order=-score"):
        get(f"/runs?{query}")
    assert "Compare the chosen runs" in get("/?benchmark=human_eval&table=nonsense&start=99999")
    get("/runs?cursor=nonsense", 400)
    get("/runs?since=whenever", 400)


def test_a_run_shows_its_result_and_the_proof_of_its_configuration(get, runs):
    text = get(f"/runs/{runs['incidents']}")
    said = words(text)
    assert "95 % interval" in said
    assert "differs" in said, "80 layers were asked for, 33 are in effect"
    assert "Asked for 80 layers on the GPU, the model has only 33." in said
    assert "--n-gpu-layers 80" in said
    assert "sha256" in said
    assert "b6710" in said
    assert "did not answer for 60 s" in said
    assert "Where the time went" in said
    assert text.count('data-chart="telemetry-') >= 3


def test_the_answers_of_a_run_are_filtered_and_paged(get, runs):
    text = get(f"/runs/{runs['incidents']}?outcome=failed")
    listed = text.partition('id="samples"')[2].partition("<tbody")[2]
    assert "failed" in listed
    assert "passed" not in listed
    first = get(f"/runs/{runs['incidents']}")
    following = re.search(r'href="([^"]+#samples)" rel="next"', first)
    assert following is not None
    assert "26 to 27 of 27" in get(following[1].replace("&amp;", "&"))
    assert "No answer fits these filters." in get(f"/runs/{runs['incidents']}?text=nothing-like-this")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("failed", "out of GPU memory"),
        ("failed", "fewer --gpu-layers"),
        ("failed", "cudaMalloc failed"),
        ("interrupted", "It was interrupted"),
        ("nothing solved", "0.0 of 100"),
    ],
)
def test_a_run_without_success_says_why_and_what_to_do(get, runs, name, said):
    assert said in words(get(f"/runs/{runs[name]}"))


def test_an_unknown_run_is_not_found_whatever_its_id(get):
    for run_id in ("nothing", "%2e%2e%2fetc", "-h", "*"):
        get(f"/runs/{run_id}", 404)


def test_rankings_by_difficulty_go_from_easy_to_hard_and_test_each_value(get):
    text = get("/rankings?benchmark=human_eval&tag=difficulty")
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', text)
    names = [re.sub(r"<[^>]+>", " ", head).split()[0] for head in heads]
    assert names[:5] == ["model", "all", "easy", "medium", "hard"]
    assert re.search(r"easy: .* (has|share) the highest score", words(text))
    assert "hard: " in words(text)


def test_rankings_of_a_benchmark_without_tags_say_so(get):
    assert "don&#39;t have tags" in get("/rankings?benchmark=speed")
    assert "don&#39;t have the tag colour" in get("/rankings?benchmark=human_eval&tag=colour")


def test_trade_offs_are_drawn_with_intervals_and_front_and_stand_in_a_table(get):
    text = get("/tradeoffs?benchmark=human_eval")
    assert text.count('<svg role="img" class="plot"') >= 3
    assert 'class="front"' in text
    assert 'class="interval f0"' in text
    assert "The same as a table" in text
    assert "Nothing to plot" in get("/tradeoffs?benchmark=speed")


def test_two_runs_are_compared_with_a_real_test(get, runs):
    best, low = runs["Qwen2.5-Coder-7B-Instruct-Q8_0"], runs["nothing solved"]
    said = words(get(f"/compare?run={best}&run={low}"))
    assert "Qwen2.5-Coder-7B-Instruct-Q8_0 is better by" in said
    assert "exact McNemar test" in said
    other = runs["Qwen2.5-Coder-7B-Instruct-Q6_K"]
    assert "No real difference shown" in words(get(f"/compare?run={best}&run={other}"))


def test_runs_that_cannot_be_compared_are_told_why(get, runs):
    best = runs["Qwen2.5-Coder-7B-Instruct-Q8_0"]
    assert "did not finish" in words(get(f"/compare?run={best}&run={runs['failed']}"))
    get(f"/compare?run={best}&run=nothing", 404)
    get("/compare?" + "&".join(f"run={run_id}" for run_id in [*runs.values()][:9]), 400)


def test_several_runs_are_a_leaderboard_of_their_own(get, runs):
    chosen = [runs[f"Qwen2.5-Coder-7B-Instruct-{name}"] for name in ("Q8_0", "Q6_K", "Q2_K")]
    text = words(get("/compare?" + "&".join(f"run={run_id}" for run_id in chosen)))
    assert "3 runs" in text
    assert "p after Holm over all 3 pairs" in text


def test_history_marks_builds_and_tests_each_step(get):
    every = words(get("/history?benchmark=human_eval"))
    assert SERIES in every
    assert "Only one run so far" in every
    one = get(f"/history?benchmark=human_eval&model={SERIES}")
    for build in BUILDS:
        assert build in one
    assert one.count('class="event"') == len(BUILDS) - 1
    assert re.search(r"not distinguishable \(p|better by|worse by", words(one))
    get("/history?benchmark=nothing", 400)


def test_hostile_text_is_text_on_every_page(get, runs):
    hostile, best = runs["hostile"], runs["Qwen2.5-Coder-7B-Instruct-Q6_K"]
    paths = ["/", "/?benchmark=human_eval", "/runs", "/tradeoffs?benchmark=human_eval", "/history?benchmark=human_eval",
             "/rankings?benchmark=human_eval&tag=difficulty", f"/runs/{hostile}", f"/compare?run={best}&run={hostile}",
             "/compare"]  # fmt: skip
    for path in paths:
        text = get(path)
        assert "hostile name" in text or "&lt;i&gt;label" in text, path
        assert "<script>alert" not in text, path
        assert "<img src=http" not in text, path
        assert "\u202e" not in text, path
        assert "\x1b" not in text, path


VIEWS = ["/", "/?benchmark=human_eval", "/runs", "/rankings?benchmark=human_eval", "/tradeoffs?benchmark=human_eval",
         "/history?benchmark=human_eval", "/help"]  # fmt: skip


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_is_exported(made, path):
    client = made[0]
    mark = "&" if "?" in path else "?"
    table = client.get(f"{path}{mark}format=csv")
    assert table.status_code == 200
    assert len([*csv.reader(io.StringIO(table.text))]) > 2
    text = client.get(f"{path}{mark}format=md").text
    assert text.startswith("# ")
    assert "<script>" not in text
    if path == "/?benchmark=human_eval":
        assert "not distinguishable (p = " in text, "the whole sentence"
    assert client.get(f"{path}{mark}format=exe").status_code == 400


def test_without_runs_the_pages_show_how_to_begin(tmp_path):
    (tmp_path / "results").mkdir()
    client = reader(page_app(tmp_path / "results", tmp_path))
    for path in ("/", "/runs", "/rankings", "/tradeoffs", "/history", "/compare"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "No runs yet." in answer.text, path


def test_a_reader_is_not_offered_what_only_others_may_do(made):
    assert 'href="/start"' not in made[0].get("/help").text


def test_the_time_of_a_run_that_was_stopped_is_told_whole():
    """It has no figures of its script: loading isn't shown as nearly all of its time."""
    stopped = a_record(
        run_id="stopped",
        phases=Phases(load_s=10.0, stop_s=1.0),
        results=Results(score=None, time_taken=111.0, raw_output=""),
    )
    assert [(part.name, part.text, part.size) for part in phase_parts(stopped)] == [
        ("loading the model", "10.0 s", 9.01),
        ("generating and judging", "100.0 s", 90.09),
        ("stopping", "1.0 s", 0.9),
    ]
