"""One task of a suite: from a row to a prompt and what is right, and from an answer to its metrics."""

from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING, Any

from evaluation.likelihood.choice_metrics import CHOICE_METRICS
from evaluation.metrics.registry import SAMPLE_METRICS
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from evaluation.suites.kinds import kind_of
from evaluation.suites.own_code import own_function
from evaluation.suites.rows import example_count
from evaluation.suites.template_rules import TemplateProblem
from evaluation.suites.templates import Template
from results.errors import BenchError, UsageError
from results.messages import Message
from results.prompts.prompt_file import Example
from results.stats.corpus_metrics import CORPUS_METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evaluation.loop.grader import Grader
    from evaluation.suites.kinds.contract import Gold, Kind, Reading
    from evaluation.suites.loader import SuiteFile
    from evaluation.suites.rows import NumberedRow, TaskRows
    from results.scores.scored_continuation import ScoredContinuation

_MOST_CHARS = 4_000_000  # of a prompt: no context has room for more
TASK_TAG = "task"
_COMPUTED = ("accuracy", "label_f1", *CHOICE_METRICS)  # by the kinds of answers themselves
_SEPARATOR = "\n\n"  # between a system text and what follows, in a text to go on with


class DeclaredTask:
    """A task with its rows. Raises BenchError where it has none, or a metric that there is not.

    likelihoods: the server scores continuations, of a text as lm-eval has it, or, in_chat, of a model's turn in a chat.
    grader: executes answers that are code; None where nothing is judged.
    """

    def __init__(
        self,
        file: SuiteFile,
        name: str,
        style: PromptStyle,
        rows: TaskRows,
        *,
        likelihoods: bool = False,
        in_chat: bool = False,
        grader: Grader | None = None,
    ) -> None:
        self.name = name
        self.declared = file.suite.tasks[name]
        self._file = file
        self.rows = rows
        self._kind: Kind = kind_of(self.declared.answer, likelihoods=likelihoods, grader=grader)
        if self._kind.scores and not in_chat:
            style = PromptStyle.COMPLETION
        self._style = style
        chat = self.declared.chat_prompt if style is PromptStyle.CHAT else None
        self._prompt_field = "prompt" if chat is None else "chat_prompt"
        self._prompt = Template(self.declared.prompt if chat is None else chat)
        self._system = Template(self.declared.system)
        self._target = None if self.declared.target is None else Template(self.declared.target)
        self._shown: dict[str, tuple[str, str]] = {}  # examples, by their rows
        self._tags = {tag: Template(text) for tag, text in self.declared.tags.items()}
        self.metrics = self.declared.metrics or self._kind.metrics
        self._own = {each: self._metric(each) for each in self.metrics if each not in CORPUS_METRICS}

    def sample(self, row: NumberedRow) -> Sample:
        """A row as a sample. Raises UsageError for one that the suite's texts don't fit."""
        gold = self._gold(row)
        by_templates = {tag: self._filled(f"tags.{tag}", text, row) for tag, text in self._tags.items()}
        tasks = {} if self._file.is_single else {TASK_TAG: self.name}
        return Sample(
            task_id=self.task_id(row),
            data={"row": row, **({"choices": gold.choices} if gold.choices else {}), **gold.data},
            expected=gold.expected,
            tags={**tasks, **{tag: value for tag, value in by_templates.items() if value}},
            choices=gold.letters,
            continuations=gold.continuations,
            style=self._style,
            stop=self.declared.stop if self._style is PromptStyle.COMPLETION else (),
            json_schema=self.declared.json_schema,
            max_tokens=self.declared.max_tokens if self._style is PromptStyle.COMPLETION else None,
        )

    def task_id(self, row: NumberedRow) -> str:
        """Such as glue/cola/17; of a suite with one task, without its name."""
        suite = self._file.suite.name
        return f"{suite}/{row.number}" if self._file.is_single else f"{suite}/{self.name}/{row.number}"

    def prompt(self, sample: Sample) -> Prompt:
        """What the model is asked, with the examples. Raises UsageError."""
        row: NumberedRow = sample.data["row"]
        system = self._filled("system", self._system, row)
        asked = self._asked(row) + self._gold(row).shown
        shots = self.declared.few_shot
        examples = [] if shots is None else self.rows.examples_for(row, example_count(shots))
        shown = [self._example(each) for each in examples]
        if len(system) + len(asked) + sum(len(text) for pair in shown for text in pair) > _MOST_CHARS:
            told = TemplateProblem(f"makes, with its examples, more than {_MOST_CHARS:,} characters")
            raise self._unfit(self._prompt_field, row, told)
        chat = self._style is PromptStyle.CHAT
        if shots is not None and shots.as_turns and chat:
            turns = [
                message
                for question, answer in shown
                for message in (Message("user", question), Message("assistant", answer))
            ]
            return Prompt(system, asked, history=tuple(turns))
        separator = self.declared.target_separator
        separate = "" if shots is None else shots.separator
        before = "".join(f"{question}{separator}{answer}{separate}" for question, answer in shown)
        return Prompt(f"{system}{_SEPARATOR}" if system and not chat else system, before + asked)

    def worked_example(self, sample: Sample) -> Example:
        """The question alone, and what is right to say. Raises UsageError."""
        question, answer = self._example(sample.data["row"])
        return Example(question=question, answer=answer, sample=sample.task_id)

    def judge(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """What an answer is worth: each metric that one answer has. It passes where the main one is 1.

        Where the main one is of all answers together, it passes where it says what was expected.
        """
        whole = prediction
        if self._style is PromptStyle.COMPLETION:
            prediction = self._until_stop(prediction)
        if self.declared.json_field:
            prediction = _in_json(prediction, self.declared.json_field)
        reading = self._kind.read(prediction, sample)
        return self._judged(reading._replace(ended=reading.ended or prediction != whole), expected, sample)

    def judge_scored(self, scored: Sequence[ScoredContinuation], sample: Sample) -> Judgement:
        """The same, where the continuations of the prompt were scored."""
        return self._judged(self._kind.read_scored(scored, sample), sample.expected, sample)

    def _judged(self, reading: Reading, expected: Any, sample: Sample) -> Judgement:
        value = reading.value or ""
        found: dict[str, float] = {}
        for name, metric in self._own.items():
            known = reading.metrics.get(name)
            found[name] = metric(value, expected, sample) if known is None else known
        execution = reading.execution
        main = self.metrics[0]
        passed = found[main] == 1.0 if main in found else value in _texts(expected)
        return Judgement(
            passed=passed,
            completion=value,
            detail="" if passed else reading.detail or f"{main} {found.get(main, 0.0):.3g}",
            metrics=found,
            ended=reading.ended,
            read_in=reading.read_in,
            execute_s=execution.seconds if execution else None,
            broken=execution is not None and execution.broken,
            near_time_limit=execution is not None and execution.near_time_limit,
            failed_check=execution.failed_check if execution else None,
        )

    def _metric(self, name: str) -> Callable[[str, Any, Sample], float]:
        if name in _COMPUTED and name not in SAMPLE_METRICS:
            return lambda value, expected, _: float(value in _texts(expected))
        if name in SAMPLE_METRICS:
            return functools.partial(self._known_metric, name)
        known = (*SAMPLE_METRICS, *CORPUS_METRICS, *_COMPUTED)
        own = own_function(self._file, name, self._file.place(self.name, "metrics"), known=known)
        return functools.partial(self._own_metric, name, own)

    def _known_metric(self, name: str, value: str, expected: Any, sample: Sample) -> float:
        try:
            return SAMPLE_METRICS[name](value, expected)
        except BenchError:  # such as: what a metric needs is not installed
            raise
        except Exception as error:
            raise UsageError(
                f"{self._file.place(self.name, 'metrics')}: {name} can't be computed for {sample.task_id}, whose right "
                f"answer is {_in_short(expected)} ({type(error).__name__}: {error})",
                hint="take a metric that fits the kind of answer, or another `correct`",
            ) from error

    def require_metrics(self, row: NumberedRow) -> None:
        """Compute all of the right answer. Raises UsageError for one that does not fit it."""
        sample = self.sample(row)
        for metric in self._own.values():
            metric(next(iter(_texts(sample.expected)), ""), sample.expected, sample)

    def _own_metric(
        self,
        name: str,
        own: Callable[[str, Any, dict[str, Any]], Any],
        value: str,
        expected: Any,
        sample: Sample,
    ) -> float:
        row: NumberedRow = sample.data["row"]
        where = f"{self._file.place(self.name, 'metrics')}: {name}"
        try:
            found = float(own(value, expected, row.fields["row"]))
        except Exception as error:
            raise UsageError(
                f"{where} failed on {sample.task_id} with {type(error).__name__}: {error}",
                hint="it gets the answer's text, what was expected and the row, and gives a number from 0 to 1",
            ) from error
        if not (math.isfinite(found) and 0.0 <= found <= 1.0):
            raise UsageError(
                f"{where} gave {found} for {sample.task_id}", hint="a metric is a number from 0 to 1"
            )
        return found

    def _example(self, row: NumberedRow) -> tuple[str, str]:
        """A question, and its answer."""
        if row.where in self._shown:
            return self._shown[row.where]
        gold = self._gold(row)
        target = gold.target if self._target is None else self._filled("target", self._target, row)
        self._shown[row.where] = (self._asked(row) + gold.shown, target)
        return self._shown[row.where]

    def _asked(self, row: NumberedRow) -> str:
        return self._filled(self._prompt_field, self._prompt, row)

    def _filled(self, field: str, template: Template, row: NumberedRow) -> str:
        try:
            return template.fill(row.fields)
        except TemplateProblem as problem:
            raise self._unfit(field, row, problem) from None

    def _gold(self, row: NumberedRow) -> Gold:
        try:
            return self._kind.gold(row.fields, self._style, self.declared.target_separator)
        except TemplateProblem as problem:
            raise self._unfit("answer", row, problem) from None

    def _unfit(self, field: str, row: NumberedRow, problem: TemplateProblem) -> UsageError:
        return UsageError(
            f"{self._file.place(self.name, field)}: {row.where}: {problem.what}",
            hint=f"correct it, then `suites validate {self._file.path}`",
        )

    def _until_stop(self, text: str) -> str:
        """A server that knows no stop sequences, or not so many, goes on."""
        for stop in self.declared.stop:
            text = text.split(stop, 1)[0]
        return text


def _in_json(text: str, field: str) -> str:
    """What a JSON object says in that field, as a text; of anything else, the text itself."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    value = said.get(field) if isinstance(said, dict) else None
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return text if value is None else str(value)


def _texts(expected: Any) -> list[str]:
    return [str(each) for each in expected] if isinstance(expected, (list, tuple)) else [str(expected)]


def _in_short(expected: Any) -> str:
    text = repr(expected)
    return text if len(text) <= 60 else f"{text[:57]}..."
