# ruff: noqa: E501 - a file in a text
"""A file of scenarios is read whole, and everything that is wrong with it is told with line and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evaluation.benchmarks.tools.scenario_file import read_scenarios
from results.errors import UsageError
from tests.evaluation.right_calls import calling, right_messages
from tests.evaluation.test_tool_scenarios import ToolTask, played

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"
TOOLS = """\
tools:
  add:
    description: Add two numbers.
    parameters: {type: object, properties: {a: {type: number}, b: {type: number}, note: {type: string}}, required: [a, b]}
scenarios:
"""
GOOD = "- {id: one, category: sums, user: What is 1 + 2?, tools: [add], calls: [{add: {a: 1, b: 2}}]}\n"


def _referring(reference):
    return f"tools: {{add: {{description: x, parameters: {{type: object, properties: {{a: {{items: {{$ref: '{reference}'}}}}}}}}}}}}"


def test_the_file_of_the_manual_is_one_and_right_play_passes_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(re.search(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[1])
    scenarios = read_scenarios(path).scenarios
    task = ToolTask(scenarios)
    for scenario, sample in zip(scenarios, task.get_samples(None), strict=True):
        assert played(scenario, right_messages(scenario), task, sample)[0].passed


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (GOOD.replace("tools:", "tool:"), 6, "Object contains unknown field `tool`"),
        (GOOD.replace("category: sums, ", ""), 6, "missing required field `category`"),
        (GOOD.replace("[add]", "[sub]"), 6, "there is no tool 'sub' in this file"),
        (GOOD.replace("{add:", "{sub:"), 6, "a call of 'sub', which is not offered"),
        (GOOD.replace("a: 1", "c: 1"), 6, "add has no argument 'c'"),
        (GOOD.replace("a: 1, ", ""), 6, "add needs the argument 'a'"),
        (
            GOOD.replace("a: 1", "a: one"),
            6,
            "what is expected of add breaks its schema: a: 'one' is not of type",
        ),
        (GOOD.replace("a: 1", "a: {$ony: 1}"), 6, "$ony is no expectation"),
        (GOOD.replace("a: 1", "a: {$near: 1}"), 6, "$near must have a list of two numbers"),
        (GOOD.replace("a: 1", "a: {$optional: 1}"), 6, "add needs the argument 'a'"),
        (GOOD.replace("calls: [", "calls: [{add: {a: 1, b: 2}}, "), 6, "several steps of calls need results"),
        (GOOD.replace("calls:", "says: [3], calls:"), 6, "Expected `str | array`, got `int`"),
        (GOOD.replace("calls:", "says: ['3'], calls:"), 6, "what it says after its calls needs results"),
        (GOOD.replace("calls:", "results: [{tool: sub, gives: 1}], calls:"), 6, "a result of 'sub'"),
        (
            GOOD.replace("calls:", "history: [{role: tool, content: x}], calls:"),
            6,
            "the role 'tool' in history",
        ),
        (GOOD.replace("id: one", "id: One Two"), 6, "id 'One Two' must be of small letters"),
        (GOOD.replace("{add: {a: 1, b: 2}}", "add"), 6, "Expected `object | array`, got `str`"),
        (GOOD.replace("calls: [", "calls: [[], "), 6, "a step of calls is empty"),
        (GOOD.replace("{add: {a: 1, b: 2}}", "[]"), 6, "a step of calls is empty"),
        (GOOD.replace("calls:", "says: [[]], calls:"), 6, "a group of says is empty"),
        (GOOD.replace("calls:", "says: [[a, '']], calls:"), 6, "a text of says or lacks is empty"),
        (GOOD.replace("calls:", "lacks: [.], calls:"), 6, "a text of says or lacks is empty"),
        (GOOD + GOOD, 7, "'one' is given twice"),
        (GOOD + "more: 1\n", 7, "is not a field of the format"),
        ("  []", 5, "scenarios: must be a list with something in it"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, text, line, message):
    path = tmp_path / "mine.yaml"
    path.write_text(TOOLS + text)
    with pytest.raises(UsageError) as found:
        read_scenarios(path)
    assert message in found.value.message
    assert f"{path}:{line}:" in found.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenarios: []", "tools: is missing"),
        ("- 1", "must be a mapping"),
        ("tools: {a b: {description: x, parameters: {type: object}}}", "at most 64 letters"),
        ("tools: {a: {description: x, parameters: {type: thing}}}", "is not a JSON Schema"),
        ("tools: {a: {description: x, parameters: {type: string}}}", "must have the type object"),
        (_referring("#/$defs/none"), "there is no '#/$defs/none' in this schema"),
        (_referring("#none"), "there is no '#none' in this schema"),
        (_referring("other.json"), "the reference 'other.json' must begin with #"),
        (
            _referring("http://127.0.0.1:9/x.json#/a"),
            "the reference 'http://127.0.0.1:9/x.json#/a' must begin",
        ),
        ("tools: {a: {parameters: {}}}", "missing required field `description`"),
    ],
)
def test_what_is_wrong_with_the_tools_is_told(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text + ("" if text.startswith(("-", "scenarios")) else f"\nscenarios:\n{GOOD}"))
    with pytest.raises(UsageError, match=re.escape(message)):
        read_scenarios(path)


def test_all_mistakes_are_told_at_once(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        TOOLS + GOOD.replace("a: 1", "c: 1") + GOOD.replace("one", "two").replace("[add]", "[sub]")
    )
    with pytest.raises(UsageError, match="has 4 errors"):
        read_scenarios(path)


SHAPES = """\
tools:
  book:
    description: Book seats.
    parameters:
      type: object
      minProperties: 2
      properties:
        day: {$ref: "#/$defs/day"}
        seats: {type: array, items: {type: string}}
        other: {$ref: "#/properties/day"}
        note: true
      required: [day, seats]
      $defs: {day: {enum: [monday, friday]}}
scenarios:
- {id: one, category: seats, user: Book A1 and B1 or B2., tools: [book], calls: [{book: {day: DAY, seats: {$unordered: [A1, {$one_of: SEATS}]}}}]}
"""


def shapes_file(tmp_path, day="friday", seats="[B1, B2]"):
    path = tmp_path / "mine.yaml"
    path.write_text(SHAPES.replace("DAY", day).replace("SEATS", seats))
    return path


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"day": "sunday"}, "book breaks its schema: day: 'sunday' is not one of"),
        ({"seats": "[B1, 2]"}, "book breaks its schema: seats.1: 2 is not of type 'string'"),
    ],
)
def test_references_and_expectations_within_a_list_are_checked_against_the_schema(tmp_path, changed, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        read_scenarios(shapes_file(tmp_path, **changed))


def test_an_argument_whose_schema_is_true_is_judged(tmp_path):
    """It has no default, so that one which is not expected is wrong rather than lost."""
    scenarios = read_scenarios(shapes_file(tmp_path)).scenarios
    task = ToolTask(scenarios)
    sample = task.get_samples(None)[0]
    right = {"day": "friday", "seats": ["B2", "A1"]}
    for given, detail in ((right, ""), (right | {"note": "x"}, "note is not expected")):
        done, _ = played(scenarios[0], [calling(("book", given))], task, sample)
        assert (done.passed, done.loss) == (not detail, None)
        assert detail in done.detail
