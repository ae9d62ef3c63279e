"""Results, lists, history, samples and leaderboard over the API, from recorded runs."""

from __future__ import annotations

import itertools

import pytest

from results.records import Metric, Score
from tests.results.recorded_runs import F, P, X, record_run
from web.jobs.job import JobStatus


def test_the_results_of_a_job(api):
    job_id = api.posted(project_id="x")
    (run,) = api.measured(job_id, {"label": "A", "outcomes": (P, P, F, X)})
    api.ended(job_id)
    body = api.reader.get(f"/results/{job_id}").json()
    assert (body["status"], body["project_id"], body["user"]) == ("completed", "x", "ada")
    assert body["completed_at"].endswith("Z")
    assert body["summary"] == {
        "total_evaluations": 4, "benchmarks_run": ["human_eval"], "models_evaluated": 1,
        "total_time_seconds": body["summary"]["total_time_seconds"]}  # fmt: skip
    metric = body["performance_data"]["human_eval"]["pass@1"]
    assert metric["mean"] == 0.5
    assert metric["low"] < 0.5 < metric["high"]
    assert body["outcomes"] == {"passed": 2, "failed": 1, "infrastructure_error": 1}
    (shown,) = body["runs"]
    assert (shown["run_id"], shown["status"], shown["score"]) == (run.run_id, "succeeded", 50.0)
    assert shown["telemetry"]["incidents"] == 0
    assert (body["progress"]["phase"], body["progress"]["runs_done"]) == ("ended", 1)


def test_a_benchmark_of_several_runs_has_an_entry_a_run(api):
    job_id = api.posted()
    api.measured(
        job_id, {"label": "A", "outcomes": (P,)}, {"label": "B", "outcomes": (F,), "model": "Other"},
        {"label": "C", "outcomes": (P,), "benchmark": "mbpp"},
    )  # fmt: skip
    body = api.reader.get(f"/results/{job_id}").json()
    assert {name: each["pass@1"]["mean"] for name, each in body["performance_data"].items()} == {
        "A": 1.0, "B": 0.0, "mbpp": 1.0}  # fmt: skip


def test_a_job_that_waits_has_measured_nothing(api):
    body = api.reader.get(f"/results/{api.posted()}").json()
    assert (body["status"], body["progress"]["phase"], body["performance_data"]) == ("pending", "queued", {})
    assert body["completed_at"] is None


def test_the_list_of_jobs_in_pages(api):
    ids = [api.posted() for _ in range(5)]
    api.ada.post(f"/cancel/{ids[0]}")
    first = api.reader.get("/results?limit=2").json()
    assert [each["job_id"] for each in first["results"]] == [ids[4], ids[3]]
    assert first["total"] == 5
    second = api.reader.get(f"/results?limit=2&cursor={first['next_cursor']}").json()
    assert [each["job_id"] for each in second["results"]] == [ids[2], ids[1]]
    assert [each["job_id"] for each in api.reader.get("/results?status=cancelled").json()["results"]] == [
        ids[0]
    ]
    assert api.reader.get("/results?suite=mbpp").json() == {"results": [], "total": 0, "next_cursor": None}
    assert api.reader.get("/results?model_name=SmolLM2-135M-Instruct.Q4_1").json()["total"] == 5
    assert api.reader.get("/results?model_name=a%00b").json()["total"] == 0


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "status=done", "cursor=x", "cursor=-1", "cursor=²"]
)
def test_mistakes_in_a_query(api, query):
    answer = api.reader.get(f"/results?{query}")
    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_history(api):
    job_id = api.posted()
    body = api.reader.get("/history?days=7").json()
    assert [each["job_id"] for each in body["history"]] == [job_id]
    assert (body["total_runs"], body["date_range"]) == (1, "Last 7 days")
    assert api.reader.get("/history?days=1&model_name=x").json()["total_runs"] == 0
    assert api.reader.get("/history?days=0").status_code == 400


@pytest.fixture
def three(api):
    """Three runs: the first is shown to be better than the last, the second is between."""
    results = api.config.results_dir
    outcomes = {"good": [P] * 60 + [F] * 10, "fair": [P] * 55 + [F] * 15, "poor": [P] * 20 + [F] * 50}
    return {model: record_run(results, each, model=model).run_id for model, each in outcomes.items()}


def test_models_are_compared_by_paired_tests(api, three):
    body = api.reader.post(
        "/compare", json={"model_ids": ["good", "fair", "poor"], "benchmark_suite": "human_eval"}
    ).json()["comparison"]
    assert body["models_compared"] == ["good", "fair", "poor"]
    assert body["run_ids"] == list(three.values())
    assert body["best_performing"] is None or body["performance_gap"] > 0
    pairs = {(pair["first"], pair["second"]): pair for pair in body["pairs"]}
    assert [*pairs] == [*itertools.combinations(three.values(), 2)]
    worst = pairs[three["good"], three["poor"]]
    assert worst["shown"] is True
    assert worst["difference"] == pytest.approx(-40 / 70)
    assert worst["low"] < worst["difference"] < worst["high"] < 0
    assert worst["p_value"] < worst["adjusted_p"]
    assert worst["test"] == "exact McNemar"
    assert "pairs differ at 5 %" in body["statistical_significance"]


def test_nobody_is_best_where_it_is_not_shown(api):
    results = api.config.results_dir
    for model, outcomes in (("one", [P, P, P, F]), ("two", [P, P, F, F])):
        record_run(results, outcomes, model=model)
    body = api.reader.post(
        "/compare", json={"model_ids": ["one", "two"], "benchmark_suite": "human_eval"}
    ).json()
    assert body["comparison"]["best_performing"] is None
    assert body["comparison"]["performance_gap"] is None
    assert body["comparison"]["statistical_significance"] == "pass@1: no difference is shown, p = 1"


def test_the_best_of_two_is_named_with_its_lead(api, three):
    body = api.reader.post("/compare", json={"run_ids": [three["poor"], three["good"]]}).json()["comparison"]
    assert (body["best_performing"], body["best_run_id"]) == ("good", three["good"])
    assert body["performance_gap"] == pytest.approx(40 / 70)


def test_what_makes_runs_incomparable_is_named(api, three):
    other = record_run(api.config.results_dir, [P] * 70, model="hot", settings={"temperature": 1.0}).run_id
    answer = api.reader.post("/compare", json={"run_ids": [three["good"], other]})
    assert answer.status_code == 409
    assert "temperature" in answer.json()["detail"]
    unlike = record_run(api.config.results_dir, [P], benchmark="mbpp").run_id
    assert (
        "benchmark" in api.reader.post("/compare", json={"run_ids": [three["good"], unlike]}).json()["detail"]
    )


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 400), ({"model_ids": ["good"]}, 400), ({"model_ids": ["good", "fair"]}, 400),
        ({"model_ids": ["good", "good"], "benchmark_suite": "human_eval"}, 400),
        ({"model_ids": ["good", "nobody"], "benchmark_suite": "human_eval"}, 404),
        ({"run_ids": ["../x", "last"]}, 404), ({"run_ids": ["a"] * 7}, 400), ({"run_ids": ["a\0", "b"]}, 404),
        ({"model_ids": ["good", "fair"], "benchmark_suite": "human_eval", "metrics": ["accuracy"]}, 400),
    ],
)  # fmt: skip
def test_mistakes_in_a_comparison(api, three, asked, status):
    import json

    answer = api.reader.post(
        "/compare", content=json.dumps(asked).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


def test_the_leaderboard_says_what_is_shown(api, three):
    body = api.reader.get("/leaderboard").json()
    assert [(each["rank"], each["model"], each["standing"]) for each in body["leaderboard"]] == [
        (1, "good", "best"), (2, "fair", "not distinguishable"), (3, "poor", "worse")]  # fmt: skip
    assert body["total_models"] == 3
    assert body["leaderboard"][0]["benchmark_count"] == 1
    assert body["leaderboard"][0]["provider"] == "local"
    assert body["last_updated"] is not None
    assert len(api.reader.get("/leaderboard?limit=1").json()["leaderboard"]) == 1
    assert api.reader.get("/leaderboard?metric=tokens_per_s").status_code == 200
    assert api.reader.get("/leaderboard?metric=accuracy").status_code == 400
    assert api.reader.get("/leaderboard?suite=nobody").status_code == 404
    assert api.reader.get("/leaderboard?suite=mbpp").json()["leaderboard"] == []


def test_a_new_run_is_on_the_leaderboard_at_once(api, three):
    assert api.reader.get("/leaderboard").json()["total_models"] == 3
    record_run(api.config.results_dir, [P] * 70, model="new")
    assert api.reader.get("/leaderboard").json()["total_models"] == 4


@pytest.mark.parametrize("metric", ["score", "seconds"])
def test_an_answer_of_older_tables_is_not_given_again(api, three, monkeypatch, metric):
    """While newer tables are being made the older ones are shown; the answer after them must be the newer."""
    monkeypatch.setattr(api.services.tables, "_refreshed", True)
    api.services.tables.refresh()
    url = f"/leaderboard?metric={metric}"
    assert api.reader.get(url).json()["total_models"] == 3
    record_run(api.config.results_dir, [P] * 70, model="new")
    assert api.reader.get(url).json()["total_models"] == 3
    api.services.tables.refresh()
    assert api.reader.get(url).json()["total_models"] == 4


def test_runs_that_cannot_be_compared_stand_in_tables_of_their_own(api, three):
    record_run(api.config.results_dir, [P] * 70, model="hot", settings={"temperature": 1.0})
    body = api.reader.get("/leaderboard").json()
    assert [each["model"] for each in body["leaderboard"]] == ["good", "fair", "poor"]
    (other,) = body["other_tables"]
    assert other["apart"] == {"temperature": "1.0"}
    shown = api.reader.get(f"/leaderboard?table={other['table']}").json()
    assert [each["model"] for each in shown["leaderboard"]] == ["hot"]
    assert api.reader.get("/leaderboard?table=9").status_code == 404


def test_the_samples_of_a_run(api, three):
    body = api.reader.get(f"/samples/{three['good']}?outcome=failed&limit=3").json()
    assert body["total"] == 10
    assert [each["task_id"] for each in body["samples"]] == [f"HumanEval/{number}" for number in (60, 61, 62)]
    following = api.reader.get(
        f"/samples/{three['good']}?outcome=failed&limit=3&cursor={body['next_cursor']}"
    ).json()
    assert following["samples"][0]["task_id"] == "HumanEval/63"
    one = api.reader.get(f"/samples/{three['good']}/HumanEval/60").json()
    assert (one["task_id"], one["outcome"], one["passed"]) == ("HumanEval/60", "failed", False)
    assert api.reader.get(f"/samples/{three['good']}/HumanEval/60?index=3").status_code == 404
    assert api.reader.get(f"/samples/{three['good']}/x").status_code == 404
    assert api.reader.get(f"/samples/{three['good']}?cursor=x").status_code == 400


@pytest.mark.parametrize("run_id", ["last", "..", "%2e%2e", ".serve", "sweeps", "good", "a%00b", "x" * 300])
def test_only_whole_run_ids_name_runs(api, three, run_id):
    for path in (f"/samples/{run_id}", f"/samples/{run_id}/HumanEval/0"):
        assert api.reader.get(path).status_code in {400, 404}
    beginning = three["good"][:-1]
    assert api.reader.get(f"/samples/{beginning}").status_code == 404


def test_a_linked_run_folder_is_no_run(api, three, tmp_path):
    there = record_run(tmp_path / "elsewhere", [P]).path
    (api.config.results_dir / there.name).symlink_to(there)
    assert api.reader.get(f"/samples/{there.name}").status_code == 404
    assert api.reader.get(f"/samples/{there.name}/HumanEval/0").status_code == 404


def test_text_of_models_goes_out_as_json_only(api):
    evil = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e\u0000"
    folder = record_run(api.config.results_dir, [F], model="<b>evil</b>")
    line = '{"task_id": "<i>", "completion": %s, "outcome": "failed", "tags": {"<a>": "\\u0007"}}\n'
    import json

    folder.completions.write_text(line % json.dumps(evil))
    answer = api.reader.get(f"/samples/{folder.run_id}/<i>")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["completion"] == evil
    assert "\x1b" not in answer.text
    assert api.reader.get(f"/samples/{folder.run_id}").json()["samples"][0]["tags"] == {"<a>": "\x07"}


def test_a_failed_job_says_why(api):
    job_id = api.posted()
    api.ended(job_id, JobStatus.FAILED, "1 of 1 run failed: it died")
    body = api.reader.get(f"/results/{job_id}").json()
    assert (body["status"], body["detail"]) == ("failed", "1 of 1 run failed: it died")


def test_a_run_without_an_interval(api):
    job_id = api.posted()
    score = Score(score=10.0, metrics={"bleu": Metric(value=0.1)}, outcomes={})
    api.measured(job_id, {"label": "A", "outcomes": (P,), "score": score})
    metric = api.reader.get(f"/results/{job_id}").json()["performance_data"]["human_eval"]["bleu"]
    assert metric == {"mean": 0.1, "stderr": None, "low": None, "high": None}


def test_what_a_detail_quotes_of_the_log_is_for_the_jobs_user_and_admins(api):
    """As the log itself, which may quote its prompts."""
    job_id = api.posted()
    api.ended(job_id, JobStatus.FAILED, "started 5 times\nmy secret prompt")
    for who, told in (
        (api.reader, "started 5 times"),
        (api.bob, "started 5 times"),
        (api.ada, "my secret prompt (started 5 times)"),
        (api.admin, "my secret prompt (started 5 times)"),
    ):
        assert who.get(f"/results/{job_id}").json()["detail"] == told
        assert who.get("/results").json()["results"][0]["detail"] == told
        assert who.get("/history").json()["history"][0]["detail"] == told
        assert ("secret" in who.get(f"/jobs/{job_id}/events").text) == ("secret" in told)
