"""A file of tasks, as benchmarks of prompt optimisers have it, is a sweep of searches; mistakes have its lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from results.errors import UsageError
from sweeps.manifest.reader import TEST_MODE_SAMPLES, parse_manifest
from sweeps.plan import plan_runs

DOCS = Path(__file__).parents[2] / "docs" / "manifest.md"
TASKS = """\
{
  "seed": 42,
  "test_mode": false,
  "tasks": [
    {
      "dataset": "human_eval",
      "optimizer": "few_shot",
      "model": "openai/gpt-4o-mini",
      "model_parameters": { "temperature": 0.7 },
      "optimizer_prompt_params": { "max_trials": 3, "n_samples": 10 }
    },
    {
      "dataset": "human_eval",
      "datasets": {
        "train": { "loader": "human_eval", "count": 20 },
        "validation": { "loader": "human_eval", "count": 10 }
      },
      "optimizer": "evolutionary_optimizer",
      "model": "openai/gpt-4o-mini",
      "optimizer_prompt_params": { "max_trials": 2, "population_size": 3, "num_generations": 1 }
    }
  ]
}
"""


def parsed(text, form="json"):
    return parse_manifest(text, form=form, name="tasks.json", folder=Path("/"))


def values(entry):
    return {name: given.value for name, given in entry.settings.items()}


def told(text):
    with pytest.raises(UsageError) as caught:
        plan_runs(parsed(text))
    return caught.value.message


def changed(**task):
    document = json.loads(TASKS)
    document["tasks"][0] = {**document["tasks"][0], **task}
    return json.dumps(document, indent=2)


def test_each_task_is_a_search(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    found = parsed(TASKS)
    first, second = map(values, found.runs)
    assert (first["benchmark"], first["provider"], first["temperature"]) == ("human_eval", "openai", 0.7)
    assert first["model"].text == "gpt-4o-mini"
    assert json.loads(second["datasets"])["train"] == {"count": 20, "loader": "human_eval"}
    assert found.seed.value == 42
    specs = [run.spec for run in plan_runs(found).runs]
    assert [spec.asked["optimizer"] for spec in specs] == ["few_shot", "evolutionary_optimizer"]
    assert {spec.parser for spec in specs} == {"optimise"}


def test_the_documented_file_is_taken():
    (example,) = re.findall(r"```jsonc\n(\{\n  \"seed\".*?)```", DOCS.read_text(), re.DOTALL)
    assert len(parsed(example).runs) == 2


def test_one_task_in_test_mode_has_few_samples():
    first, second = map(values, parsed(changed(test_mode=True)).runs)
    assert first["limit"] == TEST_MODE_SAMPLES
    assert "limit" not in second


def test_a_name_with_a_slash_stays_whole_where_it_is_no_providers():
    for more in ({"model": "meta-llama/Llama-3"}, {"server": "vllm"}):
        first = values(parsed(changed(**more)).runs[0])
        assert "/" in first["model"].text
        assert "provider" not in first


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ({"optimizer": "bayes"}, r":\d+: tasks\[0\]\.optimizer: 'bayes' is not one of"),
        ({"model_parameters": {"temprature": 1}}, r"tasks\[0\]\.model_parameters\.temprature: "),
        ({"model_parameters": 3}, r"tasks\[0\]\.model_parameters: must be a mapping"),
        ({"benchmark": "mmlu"}, r"tasks\[0\]\.dataset: is given twice"),
        ({"temperature": 1}, r"tasks\[0\]\.model_parameters\.temperature: is given twice"),
        ({"test_mode": "perhaps"}, r"tasks\[0\]\.test_mode: must be true or false"),
        ({"dataset": "no_such"}, r"tasks\[0\]\.dataset: .*no_such"),
    ],
)
def test_a_mistake_is_told_in_the_files_own_words(task, what):
    assert re.search(what, told(changed(**task)))


@pytest.mark.parametrize(
    "text", ['{"tasks": []}', '{"tasks": 3}', '{"tasks": [3]}', '{"tasks": null, "model": 2}']
)
def test_what_is_no_list_of_tasks_is_refused(text):
    assert "tasks" in told(text)
