"""A suite file becomes types, and every mistake in one is told with its line, its field and what was meant."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import jsonschema
import msgspec
import pytest
import yaml

from evaluation.loop.requests import make_request, require_schema
from evaluation.models.sampling import Sampling
from evaluation.protocols import PromptStyle, Request
from evaluation.suites.format import ChoiceAnswer, LetterAnswer, json_schema
from evaluation.suites.loader import read_suite_file
from evaluation.suites.task import SuiteRows, SuiteTask
from results.errors import UsageError
from settings.suites import shipped_suites, suite_facts

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """\
name: mine
version: 1
about: Two tasks.
licence: CC0-1.0
data: {hub: some/thing, split: validation}
answer: {kind: choice, choices: ["no", "yes"], correct: label}
tasks:
  first:
    data: {config: one}
    prompt: "{{ sentence }} "
    few_shot: {count: 2, split: train}
  second:
    prompt: |
      {{ question }}
      Answer:
    answer: {kind: letter, choices: options, correct: gold}
    metrics: [accuracy]
    tags: {level: "{{ level }}"}
"""


def _read(tmp_path: Path, text: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return read_suite_file(path)


def _told(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(UsageError) as error:
        _read(tmp_path, text)
    assert "suites validate" in error.value.hint
    return [
        line.partition("mine.yaml:")[2] for line in error.value.message.splitlines() if "mine.yaml:" in line
    ]


def test_what_stands_beside_the_tasks_holds_for_each_and_data_is_merged(tmp_path):
    read = _read(tmp_path, SUITE)
    first, second = read.suite.tasks["first"], read.suite.tasks["second"]
    assert (first.data.hub, first.data.config, first.data.split) == ("some/thing", "one", "validation")
    assert (second.data.config, second.prompt) == ("", "{{ question }}\nAnswer:\n")
    assert first.answer == ChoiceAnswer(choices=("no", "yes"), correct="label")
    assert second.answer == LetterAnswer(choices="options", correct="gold")
    assert read.suite.version == "1"
    assert read.place("second", "prompt").endswith("mine.yaml:13: tasks.second.prompt")
    assert read.place("first", "answer.correct").endswith("mine.yaml:6: answer.correct")


def test_one_task_stands_at_the_top(tmp_path):
    read = _read(
        tmp_path,
        'name: sums\nversion: "2"\nabout: A.\nlicence: none\ndata: {file: rows.jsonl}\nprompt: "{{ q }}"\n'
        "answer: {kind: number, correct: a}\n",
    )
    assert list(read.suite.tasks) == ["sums"]
    assert read.is_single


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("version: 1", "versoin: 1", "2: versoin: is not a field of the format; did you mean version?"),
        ("name: mine", "name: my suite", "1: name: 'my suite' does not match"),
        ("kind: choice", "kind: choise", "6: answer.kind: 'choise' is not one of choice, letter,"),
        ("kind: choice", "kind: choise", "did you mean choice?"),
        ("config: one", "confg: one", "9: tasks.first.data.confg: is not a field of the format; did you mean config?"),
        ("count: 2,", "count: 0,", "11: tasks.first.few_shot.count: 0 must be at least 1"),
        ("count: 2,", "count: two,", "11: tasks.first.few_shot.count: must be a whole number, not 'two'"),
        ("split: train", "seed: 1", "11: tasks.first.few_shot: needs one of split, file and examples"),
        ("{{ question }}", "{% if %}", "14: tasks.second.prompt: is a template with an error: Expected an expression"),
        ("{{ question }}", "{{ q|uper }}", "there is no filter 'uper' here (did you mean upper?)"),
        ("correct: gold", "correct: '{{ gold }}'", "16: tasks.second.answer.correct: is an expression, without braces"),
        ("correct: label", "correct: a b", "6: answer.correct: is an expression with an error"),
        ("{hub: some/thing, split: validation}", "{split: validation}", "data: needs either hub or file"),
        ("metrics: [accuracy]", "metrics: accuracy", "17: tasks.second.metrics: must be a list, not a text"),
        ("  second:\n", "  second: 5\n  third:\n", "12: tasks.second: must be a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_what_was_meant(tmp_path, was, now, told):
    assert was in SUITE
    lines = _told(tmp_path, SUITE.replace(was, now, 1))
    assert any(told in line for line in lines), lines


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hub", "/home/me/private"),
        ("hub", "../private"),
        ("hub", "a/../b"),
        ("hub", "a/b/c"),
        ("hub", "a/b--c"),  # this and the next three: the Hub's client refuses them
        ("hub", "a/b.git"),
        ("hub", "a./b"),
        ("hub", '"a/b\\n"'),
        ("revision", "../x"),
        ("config", "../.."),
        ("config", "."),
        ("split", "x/../../y"),
        ("files", "[../x.jsonl]"),
        ("files", "[/etc/passwd]"),
        ("files", "[a/../../x.jsonl]"),
    ],
)
def test_data_is_named_by_no_path_that_leads_elsewhere(tmp_path, field, value):
    """A suite from anybody read private files, whose rows went to a provider."""
    data = {"hub": "some/thing", "split": "validation"} | {field: value}
    shown = ", ".join(f"{name}: {each}" for name, each in data.items())
    lines = _told(tmp_path, SUITE.replace("hub: some/thing, split: validation", shown))
    assert any(f"data.{field}" in line and "does not match" not in line for line in lines), lines  # but words
    schema = jsonschema.Draft202012Validator(json_schema())
    wrong = yaml.safe_load(SUITE.replace("version: 1", 'version: "1"')) | {
        "data": yaml.safe_load(f"{{{shown}}}")
    }
    assert list(schema.iter_errors(wrong))


@pytest.mark.parametrize("name", ["squad", "a-b.c/d_e.f-1", "0x/y"])
@pytest.mark.parametrize("part", ["3.0.0", "wsc.fixed", "en-US", "a b"])
@pytest.mark.parametrize("inside", ["refs/pr/1", "data/a b.jsonl", "a..b/c.jsonl", "main"])
def test_data_sets_may_have_every_name_that_the_hub_takes(tmp_path, name, part, inside):
    data = {"hub": name, "config": part, "split": part, "files": [inside], "revision": inside}
    text = SUITE.replace("{hub: some/thing, split: validation}", json.dumps(data))
    assert _read(tmp_path, text).suite.tasks["second"].data.hub == name


def test_a_mistake_beside_the_tasks_is_told_once(tmp_path):
    lines = _told(
        tmp_path, SUITE.replace("label}", "label, leters: true}").replace("kind: letter", "kind: letter")
    )
    (line,) = {line for line in lines if "leters" in line}
    assert line.startswith("6: answer.leters: is not a field of the format; did you mean letters?")


def test_the_schema_for_editors_takes_what_the_loader_takes_and_refuses_what_it_refuses():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    right = yaml.safe_load(SUITE.replace("version: 1", 'version: "1"'))
    assert list(check.iter_errors(right)) == []
    for wrong in (
        right | {"versoin": "1"},
        right | {"answer": {"kind": "choise", "choices": ["a", "b"], "correct": "x"}},
        right | {"tasks": {"first": {"promt": ""}}},
        {name: value for name, value in right.items() if name != "licence"},
    ):
        assert list(check.iter_errors(wrong))


JSON_SUITE = """\
name: mine
version: 1
about: Answers in JSON.
licence: CC0-1.0
data: {file: rows.jsonl}
prompt: "{{ question }}"
answer: {kind: labels, labels: [red, green], correct: colour}
json_schema:
  type: object
  properties: {colour: {enum: [red, green]}}
  required: [colour]
json_field: colour
"""


def test_an_answer_in_json_is_held_to_a_schema_and_read_out_of_a_field(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"question": "Which?", "colour": "green"}\n')
    path = tmp_path / "mine.yaml"
    path.write_text(JSON_SUITE)
    task = SuiteTask(SuiteRows(read_suite_file(path)), style=PromptStyle.CHAT)
    (sample,) = task.get_samples(None)
    request = make_request(task, sample, Sampling())
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}},
        "required": ["colour"],
    }
    assert json.loads(msgspec.json.encode(request.json_schema)) == schema
    require_schema([request], "mine")
    for said, passed in (
        ('{"colour": "green"}', True),
        ('{"colour": "red", "why": "not green"}', False),
        ("green", True),
        ("[1]", False),
    ):
        assert task.calculate_metrics(said, sample.expected, sample).passed is passed, said


@pytest.mark.parametrize(
    ("style", "schema", "said"),
    [(PromptStyle.CHAT, None, "has no JSON schema"), (PromptStyle.COMPLETION, {}, "texts to go on with")],
)
def test_a_schema_that_would_hold_nothing_is_refused(style, schema, said):
    request = Request(task_id="t", index=0, style=style, system="", user="", json_schema=schema)
    with pytest.raises(UsageError, match=said):
        require_schema([request], "mine")


def test_the_fields_of_code_are_templates(tmp_path):
    code = "{kind: code, entry_point: '{{ name }}', tests: 'f()', correct: '{{ body }}'}"
    text = SUITE.replace("{kind: letter, choices: options, correct: gold}", code)
    assert _read(tmp_path, text).suite.tasks["second"].answer.correct == "{{ body }}"
    assert any(
        "answer.before: is a template" in line
        for line in _told(tmp_path, text.replace("{kind: code,", "{kind: code, before: '{% if %}',"))
    )


def test_whatever_a_file_holds_it_is_a_suite_or_told_to_be_none(tmp_path):
    """Protects against a traceback for a user's mistake: lines of the shipped suites, cut, mixed and spoilt."""
    draw = random.Random(7)
    texts = [path.read_text() for path in shipped_suites().values()] + [SUITE]
    spoils = [
        "{{",
        "}}",
        "{%",
        "[",
        "]",
        "{",
        "}",
        ": ",
        "- ",
        "'",
        '"',
        "&a",
        "*a",
        "<<",
        "1e999",
        "null",
        "\t",
        "~",
        "|",
    ]
    path = tmp_path / "mine.yaml"
    told = 0
    for _ in range(150):
        lines = draw.choice(texts).split("\n")
        for _ in range(draw.randint(1, 4)):
            at, spoil = draw.randrange(len(lines)), draw.choice(spoils)
            middle = draw.randint(0, len(lines[at]))
            lines[at : at + draw.randint(0, 1)] = [lines[at][:middle] + spoil + lines[at][middle:]]
        path.write_text("\n".join(lines))
        for read in (read_suite_file, suite_facts):
            try:
                read(path)
            except UsageError:
                told += 1
    assert told


def test_a_metric_that_does_not_fit_the_right_answers_is_refused_before_anything_is_asked(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"q": "2 + 2?", "a": "4"}\n')
    text = "name: mine\nversion: 1\nabout: x\nlicence: CC0-1.0\ndata: {file: rows.jsonl}\nprompt: '{{ q }}'\n"
    text += "answer: {kind: exact, correct: a}\nmetrics: [ifbench_prompt_strict]\n"
    task = SuiteTask(SuiteRows(_read(tmp_path, text)), style=PromptStyle.CHAT)
    with pytest.raises(
        UsageError, match=r"ifbench_prompt_strict can't be computed for mine/0, whose right answer is '4'"
    ):
        task.identity()
