"""What is asked of a search of a better prompt: it is checked before anything starts, and determines the run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.optimise.contract import OPTIMIZERS as KNOWN
from results.errors import UsageError
from runner.fingerprint import fingerprint
from runner.option_check import check_search
from runner.request import build_spec
from runner.script.command import Target, script_environment
from scripts.optimising.asked import NAMES, search_of
from settings.asked import Asked
from settings.optimising.rows import OPTIMIZERS, REFLECTOR_KEY, datasets_below
from tests.command_line import bench_runner
from tests.evaluation.reference import GSM8K

ROOT = Path(__file__).parents[2]


def spec(**given):
    asked = {"benchmark": "gsm8k", "base_url": "http://127.0.0.1:9", "model": "m", **given}
    return build_spec(Asked(asked), ask_scripts=False)


def asked(benchmark="gsm8k", **given):
    return search_of({**dict.fromkeys(NAMES), **given}, benchmark)


def test_both_sides_know_the_same_optimizers():
    assert set(OPTIMIZERS) == set(KNOWN)


def test_every_setting_of_a_search_makes_another_run():
    plain, found = spec(), spec(optimizer="gepa")
    others = [
        {"optimizer_params": '{"max_trials":2}'},
        {"optimizer_prompt_params": '{"max_trials":2}'},
        {"datasets": '{"train":2}'},
        {"max_calls": 9},
        {"max_tokens_total": 9},
        {"reflector_max_tokens": 9},
        {"reflector_model": "x", "reflector_provider": "openai"},
        {"reflector_model": "x", "reflector_base_url": "http://127.0.0.1:8/v1"},
    ]
    made = [fingerprint(plain), fingerprint(found)]
    made += [fingerprint(spec(optimizer="gepa", **each)) for each in others]
    assert len(set(made)) == len(made)
    assert fingerprint(spec(max_tokens_total=9)) == made[0]
    assert (plain.parser, found.parser) == ("summary", "optimise")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"datasets": "{}"}, "--datasets needs --optimizer"),
        ({"max_calls": 3}, "--max-calls needs --optimizer"),
        ({"optimizer": "gepa", "n_samples": 2}, "--n-samples can't be combined"),
        ({"optimizer": "gepa", "shards": 2}, "--shards can't be combined"),
        ({"optimizer": "gepa", "as_published": True}, "--as-published can't be combined"),
        ({"optimizer": "gepa", "use_guided_json": True}, "--use-guided-json can't be combined"),
        ({"optimizer": "gepa", "benchmark": "human_eval", "scoring": True}, "--scoring can't be combined"),
        ({"optimizer": "gepa", "reflector_provider": "openai"}, "needs --reflector-model"),
        ({"optimizer": "gepa", "reflector_model": "x"}, "needs --reflector-provider"),
        ({"optimizer": "gepa", "benchmark": "speed"}, "does not apply to --benchmark speed"),
        ({"optimizer": "gepa", "benchmark": "x", "script": "/bin/true"}, "is for our own script"),
    ],
)
def test_what_can_not_be_searched_is_refused_before_anything_starts(given, what):
    with pytest.raises(UsageError, match=what) as refused:
        spec(**given)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"optimizer_params": {"max_trails": 2}}, "no parameter 'max_trails'"),
        ({"optimizer_prompt_params": {"max_trials": 0}}, "can't be used"),
        ({"datasets": {"train": 0}}, "--datasets"),
        ({"datasets": {"tests": 5}}, "--datasets"),
        ({"datasets": {"train": {"split": "x", "file": "y"}}}, "a file and a split"),
        ({"datasets": {"validation": {"count": 0}}}, "has no samples"),
        ({"datasets": {"train": {"file": "/gone.jsonl"}}}, "no such file"),
        ({"datasets": {"train": {"loader": "hotpot", "count": 5}}}, "is of 'hotpot'"),
    ],
)
def test_a_mistake_in_its_parameters_is_found_first(given, what):
    with pytest.raises(UsageError, match=what) as refused:
        asked(optimizer="few_shot", **given)
    assert refused.value.hint


def test_the_harness_lets_the_script_check_them():
    with pytest.raises(UsageError, match="no parameter 'population'"):
        check_search(spec(optimizer="gepa", optimizer_params='{"population":3}'))


def test_a_reflector_without_its_key_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    there = {"reflector_provider": "openai", "reflector_model": "gpt"}
    with pytest.raises(UsageError, match="the reflector's provider openai needs an API key"):
        check_search(spec(optimizer="gepa", **there))
    check_search(spec(optimizer="gepa", reflector_base_url="http://127.0.0.1:9/v1", **there))


def test_splits_as_other_manifests_have_them():
    def counts(samples, **datasets):
        return tuple(asked(optimizer="gepa", datasets=datasets or None).counts(samples).values())

    assert counts(1319, train={"loader": "gsm8k", "count": 150}, validation=50) == (150, 50, 200)
    assert counts(1319) == (50, 50, 200)
    assert counts(5) == (1, 1, 3)
    assert counts(20, test=0) == (5, 5, 0)
    assert counts(100, train={"split": "train", "count": 9}) == (25, 75)  # of the run, what is left


def test_a_file_of_its_own_for_a_split_is_known_by_its_content(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jsonl").write_text("1")
    made = [
        fingerprint(
            spec(optimizer="gepa", datasets=json.dumps({"train": {"file": f"{tmp_path}/{name}/x.jsonl"}}))
        )
        for name in ("a", "b")
    ]
    assert made[0] == made[1]
    (tmp_path / "b" / "x.jsonl").write_text("2")
    text = json.dumps({"train": {"file": f"{tmp_path}/b/x.jsonl"}})
    assert fingerprint(spec(optimizer="gepa", datasets=text)) != made[0]
    assert json.loads(datasets_below(tmp_path, '{"train":{"file":"b/x.jsonl"},"test":3}')) == {
        "train": {"file": f"{tmp_path}/b/x.jsonl"},
        "test": 3,
    }


def test_the_reflectors_key_is_not_lost_behind_that_of_the_server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-reflector")
    target = Target(base_url="http://127.0.0.1:9", model_name="m", output_dir=Path("/x"), concurrency=1)
    found = script_environment(
        spec(optimizer="gepa", reflector_provider="openai", reflector_model="gpt"), target
    )
    assert (found["OPENAI_API_KEY"], found[REFLECTOR_KEY]) == ("none", "sk-of-the-reflector")
    assert REFLECTOR_KEY not in script_environment(spec(optimizer="gepa"), target)


def test_a_cap_in_money_needs_somebody_who_charges():
    with pytest.raises(UsageError, match="needs a provider that charges"):
        spec(optimizer="gepa", max_cost=1.0)
    there = {"reflector_provider": "openai", "reflector_model": "gpt-4o-mini"}
    assert spec(optimizer="gepa", max_cost=1.0, **there).asked["max_cost"] == 1.0
    with pytest.raises(UsageError, match="the price of no-such-model"):
        spec(optimizer="gepa", max_cost=1.0, **{**there, "reflector_model": "no-such-model"})


@pytest.mark.slow
def test_a_matrix_of_searches_is_planned_as_one(tmp_path):
    done = bench_runner(
        "optimise", "--benchmark", "gsm8k", "--dataset", GSM8K, "--optimizer", "few_shot,gepa",
        "--base-url", "http://127.0.0.1:9", "--model", "a,b", "--dry-run", "--results-dir", tmp_path,
    )  # fmt: skip
    for optimizer in ("few_shot", "gepa"):
        for model in ("a", "b"):
            assert any(optimizer in line and model in line for line in done.out.splitlines()), done.out
    missing = bench_runner("optimise", "--benchmark", "gsm8k", "--results-dir", tmp_path)
    assert (missing.code, "no --optimizer given" in missing.err) == (2, True)


def test_a_loader_may_name_the_suite(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"q": "What is {n}?", "a": {n}}}\n' for n in range(9)))
    suite = tmp_path / "sums.yaml"
    suite.write_text(
        'name: sums\nversion: "1"\nabout: A.\nlicence: none\ndata: {file: rows.jsonl}\nprompt: "{{ q }}"\n'
        "answer: {kind: number, correct: a}\n"
    )

    def checked(loader):
        datasets = json.dumps({"train": {"loader": loader, "count": 2}})
        words = (
            "--suite",
            suite,
            "--check",
            "--base-url",
            "http://127.0.0.1:9",
            "--model",
            "m",
            "--output",
            tmp_path,
        )
        return subprocess.run(
            [sys.executable, "-m", "scripts.run_suite", *words, "--optimizer", "few_shot", "--datasets", datasets],
            capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip

    assert checked("sums").returncode == 0
    assert "train is of 'suite', and the run of sums" in checked("suite").stdout
