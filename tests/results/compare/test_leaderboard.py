"""Runs side by side: what shares a table, what is called worse, and that noise is never shown as a ranking."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from results.compare.leaderboard import GroupBy, SortBy, make_tables
from results.compare.run_choice import Choice, choose_runs, parse_since
from results.compare.versus_best import Rank, adjusted_for_choice
from results.errors import UsageError
from results.records import RunStatus
from results.stats.paired import holm, mcnemar_exact
from results.sweep_place import SweepPlace
from results.telemetry import TelemetrySummary
from results.views.conclusion import conclusion
from results.views.leaderboard_text import judged_text, notes, print_tables, rank_text, table_cells
from tests.results.recorded_runs import F, P, X, record_run


def warned(text):
    raise AssertionError(text)


def tables_of(results_dir, **options):
    chosen = choose_runs(results_dir, Choice(every=True, statuses=()), warn=warned)
    return make_tables(chosen.runs, warn=warned, **options)


def rows_of(results_dir, **options):
    (table,) = tables_of(results_dir, **options)
    return {row.record.model: row for row in table.rows}


def raced(words):
    return SweepPlace(sweep_id="s", fingerprint=words, label="l", nonce="n", race=words)


def test_a_difference_that_may_be_chance_is_said_to_be_one(tmp_path):
    record_run(tmp_path, [P] * 30, model="good")
    record_run(tmp_path, [P] * 28 + [F] * 2, model="near")
    record_run(tmp_path, [F] * 25 + [P] * 5, model="far")
    rows = rows_of(tmp_path)
    assert [row.versus.rank for row in rows.values()] == [Rank.BEST, Rank.SAME, Rank.WORSE]
    near, far = rows["near"].versus, rows["far"].versus
    assert (near.p_value, near.pairs) == (0.5, 3)
    assert far.p_value == mcnemar_exact(25, 0)
    assert far.adjusted_p == 3 * far.p_value, "of three pairs the one shown is allowed for three"
    assert far.difference == pytest.approx(-25 / 30)
    assert rank_text(rows["far"]) == "worse by 83.3 (p < 0.001)"
    assert rank_text(rows["near"]) == "not distinguishable (p = 1.00)"
    assert rank_text(rows["good"]) == "best"


def test_the_best_only_has_the_highest_score_where_nothing_is_shown(tmp_path):
    record_run(tmp_path, [P] * 9, model="a")
    record_run(tmp_path, [P] * 8 + [F], model="b")
    assert rank_text(rows_of(tmp_path)["a"]) == "highest score"


def test_choosing_the_best_by_its_score_is_allowed_for():
    """Eight equal models: somebody is called worse in at most 5 % of tables; Holm over the tests alone would not do."""
    rng = np.random.default_rng(0)
    false_alarms = {"ours": 0, "tests alone": 0}
    tables = 400
    for _ in range(tables):
        verdicts = rng.random((8, 164)) < rng.random(164)
        best = verdicts[verdicts.sum(axis=1).argmax()]
        p_values = [
            mcnemar_exact(int((best & ~own).sum()), int((own & ~best).sum()))
            for own in verdicts
            if own is not best
        ]
        false_alarms["ours"] += min(adjusted_for_choice(p_values, 28)) < 0.05
        false_alarms["tests alone"] += min(holm(p_values)) < 0.05
    assert false_alarms["ours"] <= 0.05 * tables
    assert false_alarms["tests alone"] > 0.05 * tables


def test_a_high_score_on_few_samples_is_not_the_best(tmp_path):
    record_run(tmp_path, [P] * 12 + [F] * 8, model="whole")
    record_run(tmp_path, [P] * 5, model="quick")
    rows = rows_of(tmp_path)
    assert [*rows] == ["whole", "quick"], "nor does it stand above the best"
    assert rows["quick"].versus.rank is Rank.SAME
    assert rows["quick"].versus.samples == 5
    record_run(tmp_path, [P] * 19, model="surprise")
    record_run(tmp_path, [F] * 20, model="none")
    surprise = rows_of(tmp_path)["surprise"]
    assert surprise.versus.rank is Rank.SAME
    assert surprise.versus.difference == pytest.approx(7 / 19), "on the samples that both have"


def test_what_a_race_stopped_has_the_words_of_the_race_and_no_test(tmp_path):
    record_run(tmp_path, [P] * 30, model="good", sweep=raced("winner after 30 of 164 samples"))
    beaten = "stopped after 20 of 164 samples: beaten by good human_eval"
    record_run(tmp_path, [F] * 20, model="bad", sweep=raced(beaten))
    behind = "stopped after 20 of 164 samples: behind good human_eval, and would not be shown better"
    record_run(tmp_path, [P] * 20, model="lucky", sweep=raced(behind))
    rows = rows_of(tmp_path)
    assert rows["bad"].versus.rank is rows["lucky"].versus.rank is Rank.STOPPED
    assert rows["bad"].versus.p_value is None
    assert [rank_text(row) for row in rows.values()] == [
        "winner of the race", "behind good human_eval (race)", "beaten by good human_eval (race)",
    ]  # fmt: skip


def test_runs_that_are_not_comparable_do_not_share_a_table(tmp_path):
    record_run(tmp_path, [P] * 9, model="a")
    record_run(
        tmp_path, [F] * 9, model="b", settings={"prompt_style": "completion", "prompts_sha256": "17" * 32}
    )
    record_run(tmp_path, [P] * 9, model="c", benchmark="lcb")
    tables = tables_of(tmp_path)
    assert [table.title for table in tables] == [
        "human_eval, prompt_style chat", "human_eval, prompt_style completion", "lcb",
    ]  # fmt: skip
    assert all(row.versus is None for table in tables for row in table.rows), "nothing to compare with"


def test_samples_that_infrastructure_failed_say_nothing_of_a_model(tmp_path):
    record_run(tmp_path, [P] * 10, model="good")
    record_run(tmp_path, [X] * 8 + [P] * 2, model="unlucky")
    row = rows_of(tmp_path)["unlucky"]
    assert row.versus.samples == 2
    assert row.versus.rank is Rank.SAME
    assert rank_text(row) == "not distinguishable (p = 1.00, on 2 common samples)"


def test_several_completions_a_sample_are_one_cluster(tmp_path):
    record_run(tmp_path, [[P, P, F]] * 6 + [[P, P, P]] * 6, model="good")
    record_run(tmp_path, [[P, F, F]] * 12, model="bad")
    versus = rows_of(tmp_path)["bad"].versus
    assert versus.samples == 12
    assert versus.difference == pytest.approx(-0.5)
    assert versus.p_value < 0.001


def test_a_script_without_verdicts_is_ranked_by_nothing_but_said_to_be_untested(tmp_path):
    record_run(tmp_path, [P] * 9, model="a", no_verdicts=True)
    record_run(tmp_path, [F] * 9, model="b", no_verdicts=True)
    rows = rows_of(tmp_path)
    assert rank_text(rows["a"]) == "highest score"
    assert rank_text(rows["b"]) == "not tested: its script wrote no verdict per sample"


def test_failed_runs_take_no_part_in_the_comparison(tmp_path):
    record_run(tmp_path, [P] * 9, model="a")
    record_run(tmp_path, [P] * 9, model="b", status=RunStatus.FAILED)
    rows = rows_of(tmp_path)
    assert rows["a"].versus is rows["b"].versus is None
    assert notes(rows["b"]) == ["failed"]


def test_only_settings_that_differ_are_shown(tmp_path):
    base = {"path": "/m/a.gguf", "ctx_size": 4096, "limit": 3}
    for layers, port in ((0, 1), (80, 2)):
        record_run(tmp_path, model="a", config={**base, "gpu_layers": layers, "port": port})
    (table,) = tables_of(tmp_path)
    assert sorted(row.name for row in table.rows) == ["a gpu_layers=0", "a gpu_layers=80"]
    header, cells = table_cells(table)
    assert header[:3] == ["model", "gpu_layers", "score (95 %)"], "no column without a value"
    assert sorted(line[1] for line in cells) == ["0", "80"]


def test_how_a_composite_is_computed_is_no_setting_of_the_run(tmp_path):
    for layers, asked in ((0, {"scoring": True}), (80, {"speed_baseline": "last"})):
        record_run(tmp_path, model="a", config={"path": "/m/a.gguf", "gpu_layers": layers, **asked})
    (table,) = tables_of(tmp_path)
    assert sorted(row.name for row in table.rows) == ["a gpu_layers=0", "a gpu_layers=80"]


def test_two_files_of_one_name_are_told_apart_by_their_hash(tmp_path):
    from results.records import ModelIdentity

    for digit in "12":
        record_run(tmp_path, model="a", model_identity=ModelIdentity(name="a", sha256=digit * 64))
    (table,) = tables_of(tmp_path)
    assert sorted(row.name for row in table.rows) == ["a sha256=11111111", "a sha256=22222222"]


def test_runs_that_differ_in_their_limit_alone_are_told_apart_by_it(tmp_path):
    for limit in (1, 2):
        record_run(tmp_path, [P] * limit, model="a", config={"path": "/m/a.gguf", "limit": limit})
    (table,) = tables_of(tmp_path)
    assert [row.name for row in table.rows] == ["a limit=2", "a limit=1"]


def test_a_server_without_its_prompt_cache_is_told_from_one_that_had_it(tmp_path):
    from results.records import ServerFacts

    for words in ((), ("--cache-ram", "0")):
        server = ServerFacts(kind="llama.cpp", command=("/llama-server", *words))
        record_run(tmp_path, model="a", server=server)
    (table,) = tables_of(tmp_path)
    assert sorted(row.name for row in table.rows) == ["a", "a cache_ram=0"]


def test_the_quantisations_of_a_model_are_one_group(tmp_path):
    for model in ("Some-7B-Q4_K_M", "Some-7B.Q8_0", "some.IQ2_XXS", "Other-3B-AWQ", "Other-3B-f16"):
        record_run(tmp_path, model=model)
    assert {table.group: len(table.rows) for table in tables_of(tmp_path, group_by=GroupBy.MODEL)} == {
        "Other-3B": 2, "Some-7B": 2, "some": 1,
    }  # fmt: skip
    groups = [table.group for table in tables_of(tmp_path, group_by=GroupBy.QUANTIZATION)]
    assert groups == ["AWQ", "IQ2_XXS", "Q4_K_M", "Q8_0", "f16"]


def test_sorting_puts_what_was_not_measured_last(tmp_path):
    for model, memory, joules in (("a", None, 5.0), ("b", 2 << 30, None), ("c", 1 << 30, 3.0)):
        telemetry = TelemetrySummary(peak_memory_bytes=memory, joules_per_solved=joules)
        record_run(tmp_path, model=model, telemetry=telemetry)
    assert [*rows_of(tmp_path, sort_by=SortBy.MEMORY)] == ["c", "b", "a"]
    assert [*rows_of(tmp_path, sort_by=SortBy.JOULES)] == ["c", "a", "b"]


def test_the_speed_of_a_resumed_run_is_that_of_its_last_try(tmp_path):
    """Its tokens are of all tries, its seconds of the last: together they would be no speed."""
    record_run(tmp_path, [P] * 4, model="a", details={"new_completions": 1, "tokens_per_s": 25.0})
    record_run(tmp_path, [P] * 4, model="b", details={"new_completions": 1})
    record_run(tmp_path, [P] * 4, model="c")
    speeds = {model: row.tokens_per_s for model, row in rows_of(tmp_path).items()}
    assert speeds == {"a": 25.0, "b": None, "c": 100.0}


def test_of_a_configuration_the_newest_run_is_shown(tmp_path):
    config = {"path": "/m/a.gguf", "gpu_layers": 80}
    first = record_run(tmp_path, [P, F], model="a", config={**config, "port": 1, "sandbox": "auto"})
    again = record_run(
        tmp_path, [P, P], model="a", config={**config, "port": 2, "sandbox": "process", "request_timeout": 9}
    )
    other = record_run(tmp_path, [P, P], model="a", config={**config, "gpu_layers": 0})
    failed = record_run(tmp_path, [P, P], model="a", config=config, status=RunStatus.FAILED)
    chosen = choose_runs(tmp_path, Choice(), warn=warned)
    assert [folder.run_id for folder, _ in chosen.runs] == [again.run_id, other.run_id]
    assert chosen.left_out == {"failed": 1, "older": 1}
    every = choose_runs(tmp_path, Choice(every=True, statuses=()), warn=warned)
    assert [folder.run_id for folder, _ in every.runs] == [
        each.run_id for each in (first, again, other, failed)
    ]


def test_runs_are_chosen_by_model_benchmark_sweep_and_time(tmp_path):
    record_run(tmp_path, model="Some-Q4_K_M", sweep=raced("winner after 1 of 1 samples"))
    record_run(tmp_path, model="some-Q8_0", benchmark="lcb")
    record_run(tmp_path, model="old", timestamp="2026-01-02T03:04:05+00:00")

    def models(**choice):
        return [record.model for _, record in choose_runs(tmp_path, Choice(**choice), warn=warned).runs]

    assert models(model="some") == ["Some-Q4_K_M", "some-Q8_0"]
    assert models(model="*Q4*") == ["Some-Q4_K_M"]
    assert models(benchmarks=("lcb",)) == ["some-Q8_0"]
    assert models(sweep_id="s") == ["Some-Q4_K_M"]
    since = parse_since("300d", dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    assert models(since=since) == ["Some-Q4_K_M", "some-Q8_0"]


@pytest.mark.parametrize("text", ["yesterday", "7", "7y", "-1d", "999999w", "2026-13-01", ""])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="is not a time"):
        parse_since(text, dt.datetime.now(dt.UTC))


def test_piped_there_is_one_line_a_run_whatever_is_in_a_name(tmp_path, capsys):
    record_run(tmp_path, model="a\tb\nc")
    record_run(tmp_path, model="d", benchmark="lcb")
    print_tables(tables_of(tmp_path), known=())
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [len(line) for line in lines] == [39, 39, 39]
    assert [line[2] for line in lines] == ["model", "a b c", "d"]


def test_a_run_that_lost_answers_shows_what_was_judged_and_is_not_the_best(tmp_path):
    """60 of 60 judged right and 40 lost is a score of 60.0, and says nothing of how good the model is."""
    record_run(tmp_path, [P] * 60 + [X] * 40, model="lossy")
    record_run(tmp_path, [P] * 70 + [F] * 30, model="whole")
    rows = rows_of(tmp_path)
    assert [*rows] == ["whole", "lossy"]
    lossy = rows["lossy"]
    assert (lossy.score, lossy.lost, lossy.answers) == (60.0, 40, 100)
    assert judged_text(lossy) == "60 of 60 judged right, 40 lost"
    assert rank_text(rows["whole"]) == "highest score"
    assert rank_text(lossy) == "not distinguishable (p = 1.00, on 60 common samples)"
    assert notes(lossy) == ["too many answers lost to be the best"]
    (table,) = tables_of(tmp_path)
    header, cells = table_cells(table)
    assert [line[header.index("without what was lost")] for line in cells] == ["", judged_text(lossy)]
    told = "lossy (60 of 60 judged right, 40 lost)."
    assert conclusion(table) == [
        "whole has the highest score: 70.0 of 100 (95 % interval 60.4 to 78.1; 100 samples).",
        f"Not distinguishable from it on these samples, so possibly as good or better: {told}",
        f"Can't be called the best because too many answers were lost: {told}",
    ]


def test_others_are_not_measured_against_a_run_that_lost_answers(tmp_path):
    """Though its score is the highest; two of a hundred lost are allowed for."""
    record_run(tmp_path, [P] * 90 + [X] * 3 + [F] * 7, model="lossy")
    record_run(tmp_path, [P] * 80 + [X] * 2 + [F] * 18, model="reference")
    record_run(tmp_path, [P] * 20 + [F] * 80, model="bad")
    rows = rows_of(tmp_path)
    assert [(name, row.versus.rank) for name, row in rows.items()] == [
        ("reference", Rank.BEST), ("lossy", Rank.BETTER), ("bad", Rank.WORSE),
    ]  # fmt: skip
    (table,) = tables_of(tmp_path)
    sentences = conclusion(table)
    assert sentences[0].startswith(
        "reference has the highest score: 80.0 of 100 (80 of 98 judged right, 2 lost; 95 %"
    )
    assert "Better on the samples that both answered: lossy by" in sentences[2]
    assert sentences[3] == (
        "Can't be called the best because too many answers were lost: lossy (90 of 97 judged right, 3 lost)."
    )


def test_where_all_lost_too_many_answers_none_is_the_best(tmp_path):
    for model in "ab":
        record_run(tmp_path, [P] * 9 + [X], model=model)
    (table,) = tables_of(tmp_path)
    assert {row.versus.rank for row in table.rows} == {Rank.UNTESTED}
    assert rank_text(table.rows[0]) == "not tested: every run lost too many answers"
    assert conclusion(table)[0] == (
        "Every run that went through all samples lost too many answers, so none is called the best."
    )


def test_a_run_of_a_sweep_and_one_by_hand_are_of_one_configuration(tmp_path):
    """Else a sweep, and then a shell loop over the same models, show each model twice."""
    config = {"path": "/m/a.gguf", "gpu_layers": 80}
    style = {"style": "chat", "because": "it ended its turn", "decided_by": "a", "run_id": "r"}
    place = SweepPlace(sweep_id="s", fingerprint="f", label="l", nonce="n")
    first = record_run(tmp_path, [P, F], model="a", config={**config, "family_style": style}, sweep=place)
    second = record_run(tmp_path, [P, P], model="a", config=config)
    (only,) = choose_runs(tmp_path, Choice(), warn=warned).runs
    assert only[0].run_id == second.run_id
    (table,) = tables_of(tmp_path)
    assert {row.record.run_id for row in table.rows} == {first.run_id, second.run_id}
    assert all("family_style" not in row.settings for row in table.rows)
