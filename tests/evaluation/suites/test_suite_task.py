"""From a suite's file and rows to samples, prompts and verdicts; and what a file from anybody can't reach."""

from __future__ import annotations

import json
import os

import pytest

from evaluation.protocols import PromptStyle
from evaluation.suites.loader import read_suite_file
from evaluation.suites.task import SuiteRows, SuiteTask
from results.errors import UsageError
from results.messages import Message
from scripts.validation.suites import main

HEAD = 'name: mine\nversion: "1"\nabout: A.\nlicence: none\n'
ROWS = [
    {"q": "first", "options": ["a dog", "a cat", "a cow"], "gold": 1, "animal": "yes", "n": 2, "kinds": ["x", "z"]},
    {"q": "second", "options": ["a car", "a bus", "a cab"], "gold": 2, "animal": "no", "n": 1200, "kinds": []},
    {"q": "third", "options": ["a pig", "a hen", "a rat"], "gold": 0, "animal": "yes", "n": -3, "kinds": ["y"]},
]  # fmt: skip


@pytest.fixture
def suite(tmp_path):
    """Make a task of a file's text: its name in answers is mine."""
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))

    def made(text: str, style: PromptStyle = PromptStyle.CHAT, **more) -> SuiteTask:
        path = tmp_path / "mine.yaml"
        path.write_text(HEAD + text)
        return SuiteTask(SuiteRows(read_suite_file(path)), style=style, **more)

    return made


def _judged(task: SuiteTask, answer: str, number: int = 0):
    sample = task.get_samples(None)[number]
    return task.calculate_metrics(answer, sample.expected, sample)


def _single(answer: str, more: str = "") -> str:
    return f"data: {{file: rows.jsonl}}\nprompt: '{{{{ q }}}}?'\nanswer: {answer}\n{more}"


def test_samples_come_in_turn_and_a_smaller_limit_is_a_beginning(suite):
    task = suite(
        "data: {file: rows.jsonl}\nanswer: {kind: number, correct: n}\ntasks:\n"
        "  one: {prompt: '{{ q }}'}\n  two: {data: {where: n > 0}, prompt: '{{ q }}!'}\n"
    )
    ids = [sample.task_id for sample in task.get_samples(None)]
    assert ids == ["mine/one/0", "mine/two/0", "mine/one/1", "mine/two/1", "mine/one/2"]
    assert [sample.task_id for sample in task.get_samples(3)] == ids[:3]
    assert [sample.tags for sample in task.get_samples(2)] == [{"task": "one"}, {"task": "two"}]
    assert task.get_prompt(task.get_samples(4)[3]).user == "second!"


def test_examples_stand_before_the_question_and_never_are_the_question(suite):
    few_shot = "few_shot: {count: 2, file: rows.jsonl, seed: null}\n"
    task = suite(_single("{kind: number, correct: n}", few_shot), PromptStyle.COMPLETION)
    prompts = [task.get_prompt(sample).user for sample in task.get_samples(None)]
    assert prompts == [
        "second? 1200\n\nthird? -3\n\nfirst?",
        "first? 2\n\nthird? -3\n\nsecond?",
        "first? 2\n\nsecond? 1200\n\nthird?",
    ]


def test_prepared_examples_of_another_file_are_no_questions(suite, tmp_path):
    """Rows that a function made have no lines: the second example must not be taken for the second question."""
    (tmp_path / "mine.py").write_text("def same(rows):\n    return rows\n")
    rows = ({"q": f"example {n}", "n": n} for n in range(2))
    (tmp_path / "more.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    few_shot = "few_shot: {count: 2, file: more.jsonl, seed: null}\n"
    text = _single("{kind: number, correct: n}", few_shot)
    task = suite(text.replace("rows.jsonl}", "rows.jsonl, prepare: mine.same}", 1), PromptStyle.COMPLETION)
    shown = "example 0? 0\n\nexample 1? 1\n\n"
    prompts = [task.get_prompt(sample).user for sample in task.get_samples(None)]
    assert prompts == [f"{shown}first?", f"{shown}second?", f"{shown}third?"]


def test_drawn_examples_are_the_same_each_time_and_others_by_another_seed(suite):
    def shown(seed: int) -> str:
        task = suite(
            _single("{kind: number, correct: n}", f"few_shot: {{count: 2, file: rows.jsonl, seed: {seed}}}\n")
        )
        return task.get_prompt(task.get_samples(1)[0]).user

    assert shown(1) == shown(1)
    assert len({shown(seed) for seed in range(8)}) > 1


def test_examples_are_turns_of_a_chat_where_that_is_asked_for_and_one_text_elsewhere(suite):
    text = _single(
        "{kind: exact, correct: animal}",
        "system: Be {{ animal }}.\ntarget: 'It is {{ animal }}.'\nchat_prompt: 'Chat: {{ q }}?'\n"
        "few_shot: {as_turns: true, examples: [{q: fixed, animal: no}]}\n",
    )
    chat = suite(text)
    prompt = chat.get_prompt(chat.get_samples(1)[0])
    assert prompt.history == (Message("user", "Chat: fixed?"), Message("assistant", "It is no."))
    assert (prompt.system, prompt.user) == ("Be yes.", "Chat: first?")
    completion = suite(text, PromptStyle.COMPLETION)
    prompt = completion.get_prompt(completion.get_samples(1)[0])
    assert prompt.system + prompt.user == "Be yes.\n\nfixed? It is no.\n\nfirst?"


def test_the_limits_of_an_answer_hold_for_texts_to_go_on_with(suite):
    text = _single("{kind: exact, correct: q}", 'stop: ["\\n"]\nmax_tokens: 7\n')
    sample = suite(text, PromptStyle.COMPLETION).get_samples(1)[0]
    assert (sample.stop, sample.max_tokens) == (("\n",), 7)
    sample = suite(text).get_samples(1)[0]
    assert (sample.stop, sample.max_tokens) == ((), None)


CHOICES = "choices: options, correct: gold"


@pytest.mark.parametrize(
    ("answer", "said", "value", "passed"),
    [
        (f"{{kind: letter, {CHOICES}}}", "The answer is (B).", "B", True),
        (f"{{kind: letter, {CHOICES}}}", "A cat.", "B", True),
        (f"{{kind: letter, {CHOICES}}}", "C", "C", False),
        (f"{{kind: choice, {CHOICES}}}", "**B**", "a cat", True),
        (f"{{kind: choice, {CHOICES}}}", "a", "a dog", False),
        ("{kind: letter, choices: [a, b, c], correct: \"'B'\"}", "b", "B", True),
        ("{kind: letter, choices: options, correct: '[0, 1, 1]'}", "C", "C", True),
        ("{kind: number, correct: n}", "So 1 + 1 = 2.0", "2", True),
        ("{kind: number, correct: n}", "I don't know", "", False),
        ("{kind: exact, correct: q}", "\n`first`\nbecause", "first", True),
        ("{kind: exact, correct: q}", "First", "First", False),
        ("{kind: exact, correct: q, ignore_case: true, ignore_punctuation: true}", "First!", "First!", True),
        ("{kind: exact, correct: \"[q, 'other']\"}", "Answer: other", "other", True),
        ("{kind: span, correct: \"['the first']\"}", "First.", "First.", True),
        ("{kind: labels, labels: ['yes', 'no'], correct: animal}", "Answer: Yes.", "yes", True),
        ("{kind: labels, labels: ['yes', 'no'], correct: animal}", "It is an animal, so yes", "yes", True),
        ("{kind: labels, labels: ['yes', 'no'], correct: animal}", "yes or no", "", False),
        (
            "{kind: labels, labels: [entailment, not entailment], correct: 1}",
            "not entailment",
            "not entailment",
            True,
        ),
        ("{kind: labels, labels: [x, y, z], correct: kinds, several: true}", "z and x", "x, z", True),
        ("{kind: labels, labels: [x, y, z], correct: kinds, several: true}", "x, y", "x, y", False),
    ],
)
def test_how_each_kind_of_answer_is_read(suite, answer, said, value, passed):
    judged = _judged(suite(_single(answer)), said)
    assert (judged.completion, judged.passed) == (value, passed)
    assert bool(judged.detail) != passed


@pytest.mark.parametrize(
    ("labels", "said", "value"),
    [
        ("[NOT_SUPPORTED, SUPPORTED]", "not-supported", "NOT_SUPPORTED"),
        ("[NOT_SUPPORTED, SUPPORTED]", "The claim is not SUPPORTED.", "NOT_SUPPORTED"),
        ("[NOT_SUPPORTED, SUPPORTED]", "The claim is supported.", "SUPPORTED"),
        ("[NOT_SUPPORTED, SUPPORTED]", "I do not call it supported", ""),
        ("[Harmless, Harmful]", "Not harmful", ""),
        ("[Harmless, Harmful]", "This isn't really a **harmful** question", ""),
        ("[Harmless, Harmful]", "non-harmful", ""),
        ("[Harmless, Harmful]", "Certainly not. A harmful one", "Harmful"),
        ("[Harmless, Harmful]", "Harmful\nIt is not harmful to ask, but the aim is", "Harmful"),
        ("['-1', '1']", "I choose -1", "-1"),
        ("['-1', '1']", "I choose 1", "1"),
    ],
)
def test_a_label_that_an_answer_denies_is_not_its_answer(suite, labels, said, value):
    """Taken for the label, it were a wrong verdict where there should be none."""
    task = suite(_single(f"{{kind: labels, labels: {labels}, correct: '0'}}"))
    assert _judged(task, said).completion == value


def test_of_several_labels_those_that_are_denied_do_not_count(suite):
    task = suite(_single("{kind: labels, labels: [x, y, z], correct: kinds, several: true}"))
    assert _judged(task, "x and z, but not y").completion == "x, z"


@pytest.mark.parametrize("style", list(PromptStyle))
def test_a_row_with_more_choices_than_letters_is_asked_for_the_choice_itself(suite, tmp_path, style):
    """Such a row in the midst of a data set (ReCoRD has some) ended a run whose answers were paid for."""
    names = [f"person {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(27)]
    rows = ({"q": "Who", "options": names[:count], "gold": 2} for count in (26, 27))
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    few_shot = "few_shot: {count: 1, file: rows.jsonl, seed: null}\n"
    task = suite(_single(f"{{kind: choice, {CHOICES}}}", few_shot), style)
    by_letter, by_text = task.get_samples(None)
    assert len(by_letter.choices) == 26
    assert by_text.choices == ()
    shown = task.get_prompt(by_text).user
    assert "\nB. person ab\n" in shown  # the example
    assert "\n- person ba\n" in shown
    assert "person ac\n\nWho?" in task.get_prompt(by_letter).user
    for said, passed in (
        ("Person AC.", True),
        ("It is person ac", True),
        ("person aa or person ac?\nSo: person ac", True),
        ("person ba", False),
        ("person", False),
    ):
        judged = _judged(task, said, 1)
        assert judged.passed == passed, said
        assert set(judged.metrics) == {"acc", "acc_norm"}


def test_a_right_choice_that_always_comes_first_has_any_letter(suite, tmp_path):
    """As in TruthfulQA: a model that always says A would have it all right."""
    rows = [
        {"q": f"{n}?", "options": [f"true {n}", f"lie {n}", f"myth {n}"], "gold": [1, 0, 0]}
        for n in range(12)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    text = _single(f"{{kind: choice, {CHOICES}, shuffle: true}}")
    task = suite(text)
    right = []
    for number, sample in enumerate(task.get_samples(None)):
        shown = task.get_prompt(sample).user
        (letter,) = sample.data["right"]
        assert f"{letter}. true {number}\n" in shown
        assert sample.expected == f"true {number}"
        passed = [_judged(task, each, number).passed for each in "ABC"]
        assert passed == [each == letter for each in "ABC"]
        assert suite(text).get_prompt(sample).user == shown  # the same each time
        right.append(letter)
    assert set(right) == {"A", "B", "C"}
    by_likelihood = suite(text, likelihoods=True).get_samples(1)[0]
    assert by_likelihood.data["choices"] == ("true 0", "lie 0", "myth 0")


def test_several_labels_count_by_what_is_right_of_them(suite):
    task = suite(_single("{kind: labels, labels: [x, y, z], correct: kinds, several: true}"))
    assert _judged(task, "x, y").metrics == {"label_f1": 0.5, "accuracy": 0.0}
    assert _judged(task, "none of them", 1).metrics == {"label_f1": 1.0, "accuracy": 1.0}


def test_a_label_with_a_comma_is_one_of_several_labels(suite):
    task = suite(_single("{kind: labels, labels: ['p, q', q], correct: \"['p, q']\", several: true}"))
    assert _judged(task, "p, q").metrics == {"label_f1": 1.0, "accuracy": 1.0}
    assert _judged(task, "q").metrics == {"label_f1": 0.0, "accuracy": 0.0}


def test_what_comes_behind_a_stop_does_not_count(suite):
    text = _single("{kind: number, correct: n}", 'stop: ["\\nQ:"]\n')
    assert _judged(suite(text, PromptStyle.COMPLETION), "2\nQ: 5 + 5?\nA: 10").passed


def test_the_names_of_figures_do_not_depend_on_the_server(suite):
    text = _single(f"{{kind: choice, {CHOICES}}}")
    assert suite(text).scoring == suite(text, likelihoods=True).scoring


def test_metrics_of_ones_own_are_functions_of_a_file_beside_the_suite(suite, tmp_path):
    (tmp_path / "mine.py").write_text(
        "def long(answer, expected, row):\n    return len(answer) / 10 if row['q'] == expected else 0\n"
        "def wrong(answer, expected, row):\n    return 2\ndef broken(answer, expected, row):\n    return 1 / 0\n"
    )
    task = suite(_single("{kind: exact, correct: q}", "metrics: [mine.long, accuracy]\n"))
    assert _judged(task, "first").metrics == {"mine.long": 0.5, "accuracy": 1.0}
    for name, told in (
        ("mine.wrong", "gave 2.0 for mine/0"),
        ("mine.broken", "failed on mine/0 with ZeroDivisionError"),
    ):
        task = suite(_single("{kind: exact, correct: q}", f"metrics: [{name}]\n"))
        with pytest.raises(UsageError, match=told):
            _judged(task, "first")


@pytest.mark.parametrize(
    "name", ["os.system", "subprocess.run", "mine.missing", "builtins.exec", "acuracy", "a/b.c"]
)
def test_nothing_but_a_file_beside_the_suite_can_be_called(suite, tmp_path, name):
    (tmp_path / "mine.py").write_text("def there(answer, expected, row):\n    return 1\n")
    with pytest.raises(UsageError) as error:
        suite(_single("{kind: exact, correct: q}", f"metrics: [{name}]\n"))
    assert "mine.yaml:8: metrics" in error.value.message
    if name == "acuracy":
        assert "did you mean accuracy?" in error.value.hint


@pytest.mark.parametrize(
    "name", ["/etc/passwd.jsonl", "../rows.jsonl", "a/../../rows.jsonl", "link.jsonl", "mine.yaml"]
)
def test_only_data_beside_the_suite_is_read(suite, tmp_path, name):
    """Rows go to a model, perhaps to somebody's API: a file from anybody must not name any file here."""
    outside = tmp_path.parent / "outside.jsonl"
    outside.write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to(outside)
    with pytest.raises(UsageError, match=r"is not beside the suite|is not a data set"):
        suite(f"data: {{file: {name}}}\nprompt: x\nanswer: {{kind: number, correct: '1'}}\n")


def test_a_pipe_in_place_of_the_data_does_not_hang(suite, tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(UsageError):
        suite("data: {file: pipe.jsonl}\nprompt: x\nanswer: {kind: number, correct: '1'}\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            _single("{kind: number, correct: nn}"),
            "mine.yaml:7: answer.*rows.jsonl:1: there is no field 'nn'.*mean n",
        ),
        (_single("{kind: number, correct: q}"), "what is right must be a number, and is 'first'"),
        (
            _single("{kind: letter, choices: options, correct: n + 7}"),
            "there is no choice 9: they are 0 to 2",
        ),
        (_single("{kind: letter, choices: q, correct: '0'}"), "the choices must be a list of two or more"),
        (
            _single("{kind: number, correct: n}", "few_shot: {count: 3, file: rows.jsonl}\n"),
            "and there are 2",
        ),
        (
            "data: {file: rows.jsonl, where: n > 9999}\nprompt: x\nanswer: {kind: number, correct: n}\n",
            "no row is left",
        ),
        (
            "data: {file: rows.jsonl, sha256: abc}\nprompt: x\nanswer: {kind: number, correct: n}\n",
            "has the sha256",
        ),
        *(
            (_single(f"{{kind: {kind}, correct: {correct}}}"), "what is right is null, which is no text")
            for kind in ("exact", "span", "summary")
            for correct in ("none", "'[q, none]'")
        ),
        (
            _single("{kind: labels, labels: [x, y], correct: '[1, 1]'}"),
            "rows.jsonl:1: 2 labels are right, where one may be: say `several: true`",
        ),
    ],
)
def test_rows_that_do_not_fit_are_told_with_file_and_line(suite, text, told):
    with pytest.raises(UsageError, match=f"(?s){told}"):
        suite(text).identity()


def test_a_metric_that_a_later_row_does_not_fit_ends_with_an_error_of_ours(suite, tmp_path, capsys):
    """The first rows are tried before a model is asked; of a later one there must be no traceback."""
    correct = """correct: "q if n < 0 else '{}'\""""
    text = _single(f"{{kind: exact, {correct}}}".replace("'{}'", """'{\\"instructions\\": []}'"""))
    task = suite(f"{text}metrics: [ifbench_prompt_strict]\n")
    assert task.identity()
    assert _judged(task, "anything").passed
    with pytest.raises(UsageError, match="ifbench_prompt_strict can't be computed for mine/2"):
        _judged(task, "anything", 2)
    assert main(["validate", str(tmp_path / "mine.yaml")]) == 2
    assert (
        "mine.yaml:8: metrics: ifbench_prompt_strict can't be computed for mine/2" in capsys.readouterr().err
    )


def test_a_prompt_whose_examples_fill_the_memory_is_refused(suite):
    """Each text has a budget of its own, and a file from anybody may ask for a hundred of them."""
    few_shot = f"few_shot: {{examples: [{', '.join(['{q: long}'] * 20)}]}}\n"
    text = _single("{kind: exact, correct: q}", few_shot).replace("{{ q }}?", "{{ q }}" + "x" * 90_000)
    suite(text).identity()
    with pytest.raises(UsageError, match="makes, with its examples, more than 4,000,000 characters"):
        suite(text.replace("{q: long}", "{q: " + "y" * 200_000 + "}")).identity()


def test_the_data_of_a_run_is_known_by_its_content(suite, tmp_path):
    text = _single("{kind: number, correct: n}")
    suite(text)
    rows = SuiteRows(read_suite_file(tmp_path / "mine.yaml")).sha256
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(ROWS[0])}\n")
    assert SuiteRows(read_suite_file(tmp_path / "mine.yaml")).sha256 != rows
