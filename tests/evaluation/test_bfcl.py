"""BFCL's questions are asked as its handler for OpenAI's API asks them, and judged as its own checker judges them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from evaluation.benchmarks.tools.bfcl import read_bfcl
from evaluation.benchmarks.tools.bfcl_rules import wrong_calls
from evaluation.benchmarks.tools.task import ToolTask
from evaluation.protocols import Answer
from results.errors import UsageError
from results.messages import ToolCall
from results.records import Outcome
from tests.evaluation.right_calls import calling
from tests.evaluation.test_tool_scenarios import played

FOLDER = Path(__file__).parent / "fixtures" / "bfcl"
DATA = read_bfcl(FOLDER)
CASES = {case.id: case for case in DATA.cases}
TASK = ToolTask(DATA.cases)
VERDICTS = [json.loads(line) for line in FOLDER.with_name("bfcl_verdicts.jsonl").read_text().splitlines()]


def judged(name, *messages):
    sample = next(each for each in TASK.get_samples(None) if each.task_id == f"tools/{name}")
    return played(CASES[name], messages, TASK, sample)


def test_our_verdict_is_that_of_their_checker():
    """On right calls, nearly right ones and junk, as fixtures/README.md says."""
    assert len(VERDICTS) == 300
    assert sum(valid for *_, valid in VERDICTS) == 110
    for name, calls, valid in VERDICTS:
        case = CASES[name]
        why = wrong_calls(case.functions, [tuple(call) for call in calls], case.answers)
        assert (why == "") is valid, (name, calls, why)


def test_a_question_takes_one_request_and_each_category_is_scored():
    done, requests = judged("simple_python_0", calling(("geometry_garden_area", {"length": 12, "width": 8})))
    assert (done.outcome, requests, done.tags) == (Outcome.PASSED, 1, {"category": "simple_python"})
    done, _ = judged("simple_python_0", calling(("geometry_garden_area", {"length": 12, "width": 9})))
    assert done.detail == "geometry_garden_area: width is 9, and none of [8]"
    both = calling(("weather_today", {"city": "linz"}), ("weather_today", {"city": "Graz", "days": 1}))
    assert judged("parallel_0", both)[0].passed
    assert not judged("parallel_0", {**both, "tool_calls": both["tool_calls"][:1]})[0].passed
    assert judged("multiple_0", calling(("weather_today", {"city": "graz", "days": 3})))[0].passed


def test_where_no_call_is_due_any_call_is_wrong_and_where_one_is_any_is_right():
    call, text = calling(("weather_today", {"city": "Graz"})), {"role": "assistant", "content": "Goethe."}
    assert not judged("irrelevance_0", call)[0].passed
    assert judged("irrelevance_0", text)[0].passed
    assert judged("live_relevance_0-0-0", call)[0].passed
    assert not judged("live_relevance_0-0-0", text)[0].passed
    broken = Answer(finish_reason="tool_calls", tool_calls=(ToolCall(name="weather_today", arguments="{"),))
    assert not judged("irrelevance_0", broken)[0].passed
    assert "not JSON" in judged("multiple_0", broken)[0].detail


def test_what_is_sent_is_json_schema_with_names_without_dots():
    prompt = CASES["simple_python_3"].prompt
    function = prompt.tools[0]["function"]
    assert function["name"] == "order_place"
    assert function["description"] == "Place an order. Note that the provided function is in Python 3 syntax."
    assert function["parameters"]["type"] == "object"
    properties = function["parameters"]["properties"]
    assert properties["customer"]["type"] == "object"
    assert properties["lines"]["items"]["type"] == "object"
    amount = CASES["simple_python_1"].prompt.tools[0]["function"]["parameters"]["properties"]["amount"]
    assert amount == {
        "type": "number",
        "format": "float",
        "description": "Euros. This is a float type value.",
    }
    point = CASES["simple_python_4"].prompt.tools[0]["function"]["parameters"]["properties"]
    assert (point["at"]["type"], point["label"]["type"]) == ("array", "string")
    assert CASES["live_relevance_0-0-0"].prompt.system == "You look things up."


def test_a_file_is_read_by_itself_and_the_answers_count_for_the_hash(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "copy")
    file = tmp_path / "copy" / "BFCL_v4_multiple.json"
    before = read_bfcl(file)
    assert [case.id for case in before.cases] == ["multiple_0"]
    answers = file.parent / "possible_answer" / file.name
    answers.write_text(answers.read_text().replace("Graz, Austria", "Graz (Austria)"))
    assert read_bfcl(file).sha256 != before.sha256


ROW = {
    "id": "simple_0",
    "question": [[{"role": "user", "content": "?"}]],
    "function": [{"name": "f", "description": "", "parameters": {"properties": {}, "required": []}}],
}
TRUTH = {"id": "simple_0", "ground_truth": [{"f": {}}]}


@pytest.mark.parametrize(
    ("row", "truth", "message"),
    [
        (ROW, None, "has no answer to simple_0"),
        (ROW, {**TRUTH, "ground_truth": [{"g": {}}]}, "has no answer to simple_0 with its functions"),
        (ROW, {**TRUTH, "id": "simple_1"}, "has no answer to simple_0"),
        (ROW, {**TRUTH, "ground_truth": [{"f": {"a": 5}}]}, "Expected `array`, got `int`"),
        ({**ROW, "id": "java_0"}, TRUTH, "the category 'java' are not read"),
        ({**ROW, "id": "multi_turn_base_0"}, TRUTH, "the category 'multi_turn_base' are not read"),
        ({**ROW, "question": ROW["question"] * 2}, TRUTH, "not a question of a single turn"),
        ({**ROW, "question": [[]]}, TRUTH, "not a question of a single turn"),
        ({**ROW, "function": [{"name": "f"}]}, TRUTH, "a function without 'parameters'"),
        ({**ROW, "function": "f"}, TRUTH, "Expected `array`, got `str`"),
        ([1], TRUTH, "Expected `object`"),
        ("text", TRUTH, "not a JSON object"),
    ],
)
def test_a_bad_file_is_told_with_its_line(tmp_path, row, truth, message):
    file = tmp_path / "BFCL_v3_simple.json"
    file.write_text(row if isinstance(row, str) else json.dumps(row))
    (tmp_path / "possible_answer").mkdir()
    if truth is not None:
        (tmp_path / "possible_answer" / file.name).write_text(json.dumps(truth))
    with pytest.raises(UsageError, match=f":1:?.*{re.escape(message)}"):
        read_bfcl(file)


def test_a_folder_without_such_files_and_the_same_questions_twice_are_errors(tmp_path):
    (tmp_path / "BFCL_v4_web_search.json").write_text("{}")
    with pytest.raises(UsageError, match="no file of a category that is read"):
        read_bfcl(tmp_path)
    row = json.dumps({**ROW, "id": "irrelevance_0"})
    (tmp_path / "BFCL_v4_irrelevance.json").write_text(f"{row}\n{row}\n")
    with pytest.raises(UsageError, match="irrelevance_0 is given twice"):
        read_bfcl(tmp_path)
    with pytest.raises(UsageError, match="cannot read"):
        read_bfcl(tmp_path / "none.json")
