"""`suites`, and `run --benchmark FILE.yaml` from the command line to the score in the run log."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from evaluation.suites.format import json_schema
from evaluation.suites.loader import read_suite_file
from settings.suites import shipped_suites, suite_facts
from tests.command_line import bench_runner, bench_runners, lines, logged, only_run
from tests.evaluation.running_servers import answering_server

PAGE = Path(__file__).parents[1] / "docs" / "suites.md"


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def capitals(tmp_path):
    """The page's suite, as a reader writes it down."""
    (tmp_path / "capitals.yaml").write_text(_blocks(PAGE, "yaml")[0])
    (tmp_path / "capitals.jsonl").write_text(_blocks(PAGE, "json")[0])
    (tmp_path / "lengths.py").write_text(_blocks(PAGE, "python")[0])
    return tmp_path / "capitals.yaml"


@pytest.mark.parametrize("path", shipped_suites().values(), ids=shipped_suites().keys())
def test_every_shipped_suite_is_right_by_its_loader_and_by_the_schema(path):
    read = read_suite_file(path)
    facts = suite_facts(path)
    assert (read.suite.name, facts.name, facts.version) == (path.stem, path.stem, read.suite.version)
    check = jsonschema.Draft202012Validator(json_schema())
    assert [error.message for error in check.iter_errors(yaml.safe_load(path.read_text()))] == []


def test_the_pages_example_is_a_suite_and_its_error_is_the_one_that_is_told(capitals):
    broken = capitals.with_name("broken.yaml")
    broken.write_text(capitals.read_text().replace("exact", "exakt"))
    valid, wrong, shown, listed = bench_runners(
        ["suites", "validate", capitals],
        ["suites", "validate", broken.name],
        ["suites", "show", "glue"],
        ["suites", "list"],
        cwd=capitals.parent,
    )
    assert valid.code == 0, valid.err
    assert "capitals, version 1, 1 task: the file is right" in valid.out
    assert "4 rows, 4 tried" in valid.out
    assert "| What is the capital of France?\n  | Answer:" in valid.out
    assert wrong.code == 2
    (told,) = re.findall(r"^error: capitals(.yaml:8: .*)$", PAGE.read_text(), re.MULTILINE)
    assert f"error: broken{told}" in wrong.err
    assert "cola: " in shown.out
    assert "measured by mcc, accuracy" in shown.out
    assert all(f"{name}\t" in listed.out or f"{name} " in listed.out for name in shipped_suites())


def test_a_name_that_is_no_suite_is_told_with_the_closest(tmp_path):
    shown, run, missing = bench_runners(
        ["suites", "show", "glew"],
        ["run", "--benchmark", "supergleu", "--base-url", "http://127.0.0.1:9"],
        ["run", "--benchmark", "nowhere.yaml", "--base-url", "http://127.0.0.1:9"],
        cwd=tmp_path,
    )
    assert (shown.code, run.code, missing.code) == (2, 2, 2)
    assert "did you mean glue?" in shown.err
    assert "did you mean superglue?" in run.err
    assert "nowhere.yaml can't be read: No such file" in missing.err


def test_a_broken_suite_ends_before_anything_starts_and_shows_its_line(capitals):
    capitals.write_text(capitals.read_text().replace("{{ country }}", "{{ contry }}"))
    results = capitals.parent / "results"
    done = bench_runner(
        "run", "--benchmark", capitals, "--base-url", "http://127.0.0.1:9", "--results-dir", results
    )
    assert done.code == 2, done.err
    assert "capitals.yaml:6: prompt: " in done.err
    assert "capitals.jsonl:1: there is no field 'contry' (did you mean country?)" in done.err
    assert not results.exists()


@pytest.mark.servers
def test_a_suite_runs_resumes_compares_and_reruns_by_its_content(capitals):
    """From a file of one's own to a score in the run log; what the file or its data says decides what is the same."""
    folder, results = capitals.parent, capitals.parent / "results"
    text = capitals.read_text().replace(
        "max_tokens: 16\n", "max_tokens: 3000\nmetrics: [accuracy, lengths.short_enough]\n"
    )
    capitals.write_text(text)
    answers = folder / "answers.json"
    answers.write_text(
        json.dumps(
            {"of Portugal?\nAnswer:\n": "x", "2 + 2": "4", "of Romania?": "Bucharest", "of Poland?": "Krakow"}
        )
    )
    with answering_server(answers) as url:
        base = ["run", "--benchmark", capitals.name, "--base-url", url, "--results-dir", results,
                "--prompt-style", "chat"]  # fmt: skip
        first, again = bench_runners([*base, "--limit", 3], [*base, "--resume", "last"], cwd=folder)
        assert (first.code, again.code) == (0, 0), first.err + again.err
        run = logged(results)[-1]
        assert run["benchmark"] == "capitals"
        assert run["config"]["suite"] == str(capitals)
        assert run["config"]["suite_version"] == "1"
        made = {each["task_id"]: each for each in lines(only_run(results) / "completions.jsonl")}
        assert sorted(made) == ["capitals/0", "capitals/1", "capitals/2", "capitals/3"]
        settings = json.loads((only_run(results) / "settings.json").read_text())
        assert settings["max_tokens"] == 3000  # the largest that a task asks for
        assert made["capitals/2"]["tags"] == {"region": "west"}
        assert made["capitals/2"]["metrics"].keys() == {"accuracy", "lengths.short_enough"}
        # Another wording of the same suite is another run.
        capitals.write_text(text.replace("What is", "Name"))
        resumed, fresh = bench_runners([*base, "--resume", "last"], base, cwd=folder)
        assert resumed.code == 6
        assert "suite_sha256 was" in resumed.err
        assert fresh.code == 0, fresh.err
        fresh_id = logged(results)[-1]["run_id"]
        compared, judged, rerun, ranked = bench_runners(
            ["compare", run["run_id"], "last", "--results-dir", results],
            ["rejudge", "last", "--results-dir", results],
            ["rerun", "last", "--results-dir", results],
            ["leaderboard", "--benchmark", capitals.name, "--results-dir", results],
            cwd=folder,
        )
        # Judged again by another file, verdicts are that file's.
        capitals.write_text(capitals.read_text().replace("max_tokens: 3000", "max_tokens: 3001"))
        (again,) = bench_runners(["rejudge", fresh_id, "--results-dir", results], cwd=folder)
    assert again.code == 0, again.err
    of = {run["run_id"]: run["config"]["suite_sha256"] for run in logged(results)}
    (rejudged,) = [run for run in logged(results)[::-1] if run.get("rejudged_from") == fresh_id][:1]
    assert of[rejudged["run_id"]] not in {of[fresh_id], of[run["run_id"]]}
    assert compared.code != 0
    assert "suite_sha256" in compared.err + compared.out
    assert (judged.code, rerun.code, ranked.code) == (0, 0, 0), judged.err + rerun.err + ranked.err
    assert "capitals" in ranked.out
