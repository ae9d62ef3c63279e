"""MMLU (Hendrycks et al. 2021): questions of 57 subjects with four choices, one of them right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from evaluation.answers.choice_texts import chosen_text
from evaluation.answers.deciding_line import deciding_line
from evaluation.answers.letters import chosen_letter, read_choice
from evaluation.benchmarks.mmlu.subjects import CATEGORY_OF
from evaluation.data.data_set import DataSet, DataSetTask
from evaluation.data.files import checked, files_sha256, read_rows
from evaluation.data.hub import fetch_file
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from results.errors import UsageError
from results.prompts.prompt_file import Example

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


NAME = "mmlu"

REPOSITORY = "cais/mmlu"
TEST, DEV = (f"all/{split}-00000-of-00001.parquet" for split in ("test", "dev"))
_LETTERS = ("A", "B", "C", "D")
_COLUMNS = ("question", *_LETTERS, "answer")  # of the CSV files, which have no header

# The wording of the paper's code (github.com/hendrycks/test), as in lm-eval's task mmlu.
_HEADER = "The following are multiple choice questions (with answers){about}.\n\n"
# In chat also: without it many models begin with "The correct answer is".
_CHAT_HEADER = (
    "The following are multiple choice questions{about}. Answer with the letter of the right choice only.\n\n"
)


class _Question(msgspec.Struct):
    question: str
    choices: tuple[str, str, str, str]
    answer: Literal[0, 1, 2, 3, "A", "B", "C", "D"]
    subject: str = ""

    @property
    def letter(self) -> str:
        return self.answer if isinstance(self.answer, str) else _LETTERS[self.answer]


class MmluData(msgspec.Struct, frozen=True):
    """questions: the data set; examples: of each subject, those with answers that may stand before a question."""

    questions: DataSet
    examples: dict[str, tuple[Sample, ...]] = {}


def load_data(path: Path | None, *, few_shot: int, by_letter: bool) -> MmluData:
    """The questions of a file or folder as published, or the test set from the Hugging Face Hub.

    few_shot: how many examples a question needs; they are taken from the `dev` file that is published beside the
    test file. by_letter: every answer is written, none is chosen by its probability. Raises BenchError.
    """
    files = _files(path) if path else [fetch_file(REPOSITORY, TEST)]
    examples: dict[str, tuple[Sample, ...]] = {}
    dev_files = []
    if few_shot:
        dev_files = [_dev_of(file) for file in files] if path else [fetch_file(REPOSITORY, DEV)]
        by_subject: dict[str, list[Sample]] = {}
        for example in _read(dev_files, choices=()):
            by_subject.setdefault(example.data["subject"], []).append(example)
        examples = {subject: tuple(some[:few_shot]) for subject, some in by_subject.items()}
    questions = _read(files, choices=() if by_letter else _LETTERS)
    for sample in questions if few_shot else ():
        subject = sample.data["subject"]
        if (there := len(examples.get(subject, ()))) < few_shot:
            raise UsageError(
                f"--few-shot {few_shot}: there are only {there} examples of the subject {subject!r} in "
                f"{', '.join(map(str, dev_files))}",
                hint=f"give --few-shot {there}, or more examples",
                settings=("few_shot",),
            )
    return MmluData(DataSet(tuple(questions), files_sha256([*files, *dev_files])), examples)


class MmluTask(DataSetTask):
    """Implements `Task`."""

    def __init__(self, data: MmluData, *, style: PromptStyle) -> None:
        super().__init__(NAME, data.questions.samples, style)
        self.stop = ("\n\n",) if style is PromptStyle.COMPLETION else ()
        self._examples = data.examples

    def get_prompt(self, sample: Sample) -> Prompt:
        """The examples and the question, up to `Answer:`."""
        subject = sample.data["subject"]
        header = _CHAT_HEADER if self.style is PromptStyle.CHAT else _HEADER
        about = f" about {subject.replace('_', ' ')}" if subject else ""
        shown = [f"{_asked(example)} {example.expected}\n\n" for example in self._examples.get(subject, ())]
        return Prompt("", "".join([header.format(about=about), *shown, _asked(sample)]))

    def worked_example(self, sample: Sample) -> Example:
        """The question alone, and its letter."""
        return Example(question=_asked(sample), answer=str(sample.expected), sample=sample.task_id)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Compare the letter, whether it was the likeliest or stands in what the model wrote."""
        for stop in self.stop:  # a server that knows no stop sequences goes on with questions of its own
            prediction = prediction.strip().split(stop, 1)[0]
        choices = sample.data.get("choices", ())
        letter = _chosen(prediction, choices)
        right = letter == expected
        said = "no letter in the answer" if letter is None else f"{letter} instead of {expected}"
        words = deciding_line(prediction, lambda line: _chosen(line, choices) == letter) if letter else ""
        return Judgement(
            passed=right,
            completion=letter or "",
            detail="" if right else said,
            ended=read_choice(prediction, _LETTERS, choices).stated,
            read_in=words,
        )


def _chosen(text: str, choices: Sequence[str]) -> str | None:
    return chosen_letter(text, _LETTERS, choices) or chosen_text(text, choices, _LETTERS)


def _asked(sample: Sample) -> str:
    choices = (
        f"{letter}. {choice}\n" for letter, choice in zip(_LETTERS, sample.data["choices"], strict=True)
    )
    return f"{sample.data['question'].strip()}\n{''.join(choices)}Answer:"


def _read(files: Sequence[Path], *, choices: tuple[str, ...]) -> list[Sample]:
    samples: list[Sample] = []
    count: dict[str, int] = {}
    for file in files:
        for row in read_rows(file, columns=_COLUMNS):
            if file.suffix == ".csv":  # the subject is in the file's name: anatomy_test.csv
                fields = dict(row.data)
                fields["choices"] = [fields.pop(letter) for letter in _LETTERS]
                fields["subject"] = file.stem.rpartition("_")[0]
                row = row._replace(data=fields)  # noqa: PLW2901
            question = checked(row, _Question)
            subject = question.subject
            number = count[subject] = count.get(subject, -1) + 1
            tags = {"category": CATEGORY_OF[subject]} if subject in CATEGORY_OF else {}
            samples.append(
                Sample(
                    task_id=f"{NAME}/{subject or 'question'}/{number}",
                    data={"question": question.question, "choices": question.choices, "subject": subject},
                    expected=question.letter,
                    tags=({"subject": subject} if subject else {}) | tags,
                    choices=choices,
                )
            )
    return samples


def _files(path: Path) -> list[Path]:
    """The file, or the CSV files of a folder as the paper's authors publish it. Raises UsageError."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("test/*_test.csv")) or sorted(path.glob("*_test.csv"))
    if not found:
        raise UsageError(f"{path} has no files named test/SUBJECT_test.csv", hint="or name one file")
    return found


def _dev_of(test: Path) -> Path:
    """`dev/anatomy_dev.csv` of `test/anatomy_test.csv`; also in the same folder. Raises UsageError."""
    name = test.name.replace("test", "dev")
    for path in (test.with_name(name), test.parent.with_name("dev") / name):
        if path != test and path.is_file():
            return path
    raise UsageError(
        f"--few-shot needs worked examples, but there is no {name} beside {test}",
        hint="put the data set's dev file there, or leave --few-shot out",
        settings=("few_shot",),
    )
