"""The types of a suite file. Its schema for editors, its errors and its values all follow from them.

A template is a text of Jinja2 over the fields of a row of the data; an expression is one over the same, without braces.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
LONGEST_TEMPLATE = 100_000

Name = Annotated[str, Meta(pattern=NAME_PATTERN)]
Text = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEMPLATE)]
Template = Annotated[str, Meta(max_length=LONGEST_TEMPLATE)]
Expression = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEMPLATE)]
Ending = Annotated[str, Meta(pattern=r"[\s\S]", max_length=100)]  # may be a line end alone
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Choices = Annotated[
    Expression | Annotated[tuple[Template, ...], Meta(min_length=2)],
    Meta(description="The choices: a list of templates, or an expression that gives a list."),
]
Correct = Annotated[
    Expression,
    Meta(
        description="An expression that gives what is right: of choices the number (from 0), the letter or the text, "
        "or a list of 0 and 1 where several are right; else the text, or a list of accepted ones."
    ),
]


# Parts of the paths under which data is looked for: a suite from anybody must not lead to other files of its user.
_PLAIN = r"^(?![\s\S]*[\x00-\x1f\\])"
_HUB_ID = (
    _PLAIN + r"(?!.*(?:--|\.\.|\.git$))(?:\w(?:[\w.-]*\w)?/)?(?:\w(?:[\w.-]*\w)?)?$"
)  # as the Hub's own check
HubId = Annotated[
    str, Meta(pattern=_HUB_ID, max_length=96, extra={"rule": "is no data set of the Hub: write OWNER/NAME"})
]
OneName = Annotated[
    str, Meta(pattern=_PLAIN + r"(?!\.)[^/]*$", extra={"rule": "must have no / and not begin with ."})
]
Below = Annotated[
    str,
    Meta(
        pattern=_PLAIN + r"(?!/)(?!(?:.*/)?\.{0,2}(?:/|$)).+$",
        extra={"rule": "must lie in the data set's repository, without .."},
    ),
]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping of the file."""


class Data(_Part, frozen=True, kw_only=True):
    """Where the rows come from: the Hugging Face Hub, or a file."""

    hub: Annotated[HubId, Meta(description="A data set on the Hugging Face Hub, such as nyu-mll/glue.")] = ""
    config: Annotated[OneName, Meta(description="The configuration (subset) of the data set.")] = ""
    split: Annotated[OneName, Meta(description="The split, such as validation.")] = ""
    files: Annotated[
        tuple[Below, ...],
        Meta(description="Files in the data set's repository, where the split does not name them."),
    ] = ()
    revision: Annotated[
        Below | None, Meta(description="The commit of the data set; null: what the first fetch finds.")
    ] = None
    sha256: Annotated[
        str | None, Meta(description="Of the rows' files; null: not checked. Other content is refused.")
    ] = None
    file: Annotated[
        str, Meta(description="A .jsonl, .csv or .parquet file, relative to the folder of this file.")
    ] = ""
    where: Annotated[
        Template, Meta(description="An expression; rows for which it is false are left out.")
    ] = ""
    prepare: Annotated[
        str,
        Meta(
            description="What makes of all rows those that the templates see: a name of the program's own, or "
            "FILE.FUNCTION of a Python file beside this one."
        ),
    ] = ""


class FewShot(_Part, frozen=True, kw_only=True):
    """Rows that stand before each question with their answers."""

    count: Annotated[int, Meta(ge=1, le=100, description="How many.")] = 1
    split: Annotated[OneName, Meta(description="The split that they come from.")] = ""
    config: Annotated[OneName, Meta(description="The configuration, where it is another one.")] = ""
    file: Annotated[
        str, Meta(description="The file that they come from, where the rows come from a file.")
    ] = ""
    seed: Annotated[
        int | None, Meta(description="Of the draw, which is the same for all rows; null: the first rows.")
    ] = 0
    examples: Annotated[
        tuple[dict[str, Any], ...], Meta(description="Fixed examples instead: rows with their fields.")
    ] = ()
    separator: Annotated[str, Meta(description="Between two examples.")] = "\n\n"
    as_turns: Annotated[
        bool, Meta(description="In chat style, as turns of the conversation instead of one text.")
    ] = False


class ChoiceAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="choice"):
    """One of several texts: the one that the model finds likeliest as the continuation of the prompt."""

    choices: Choices
    correct: Correct
    letters: Annotated[
        bool,
        Meta(
            description="Where the server can't tell likelihoods, show the choices with letters and ask for one."
        ),
    ] = True
    shuffle: Annotated[
        bool,
        Meta(
            description="Show them in an order that follows from their texts: for data whose right choices stand at "
            "the same places in every row."
        ),
    ] = False


class LetterAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="letter"):
    """The letter of a choice; the prompt shows the choices. The likeliest letter counts where the server tells
    probabilities, else the written one.
    """

    choices: Choices
    correct: Correct
    written: Annotated[bool, Meta(description="Only written letters count, no probabilities.")] = False


class NumberAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="number"):
    """A number; the final one of an answer counts."""

    correct: Correct


class ExactAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="exact"):
    """A text that must be equal; several may be right."""

    correct: Correct
    ignore_case: Annotated[bool, Meta(description="Whether A and a are equal.")] = False
    ignore_punctuation: Annotated[bool, Meta(description="Whether punctuation is left out before.")] = False
    first_line: Annotated[bool, Meta(description="Whether only the first line that is not empty counts.")] = (
        True
    )


class SpanAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="span"):
    """A short text, such as one taken from a passage, compared as SQuAD does."""

    correct: Correct


class LabelsAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="labels"):
    """One of some words, or several of them, found in a written answer."""

    labels: Annotated[
        Expression | Annotated[tuple[Text, ...], Meta(min_length=1)],
        Meta(description="All labels: a list, or an expression that gives one."),
    ]
    correct: Correct
    several: Annotated[bool, Meta(description="Whether any number of them may be right.")] = False


class SummaryAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="summary"):
    """A longer text that is compared with references by its words."""

    correct: Correct


class CodeAnswer(_Part, frozen=True, kw_only=True, tag_field="kind", tag="code"):
    """A program that is executed in the sandbox, where tests call a function of it."""

    entry_point: Annotated[Text, Meta(description="A template: the name of the function.")]
    tests: Annotated[
        Text,
        Meta(description="A template: Python that calls the function, such as assertions; it has to end."),
    ]
    before: Annotated[
        str,
        Meta(
            description="A template: what the answer goes on from, such as the signature; executed before it."
        ),
    ] = ""
    correct: Annotated[
        str, Meta(description="A template: a right answer, as an example before a question shows it.")
    ] = ""


Answer = (
    ChoiceAnswer
    | LetterAnswer
    | NumberAnswer
    | ExactAnswer
    | SpanAnswer
    | LabelsAnswer
    | SummaryAnswer
    | CodeAnswer
)


class SuiteTask(_Part, frozen=True, kw_only=True):
    """One task of a suite."""

    data: Data
    prompt: Annotated[
        Template, Meta(description="A template: what the model is asked, or a text to go on with.")
    ]
    answer: Annotated[Answer, Meta(description="What kind of answer is asked for, and what is right.")]
    about: Annotated[str, Meta(description="One line.")] = ""
    chat_prompt: Annotated[
        Template | None,
        Meta(description="A template instead of prompt for models that are asked in a chat."),
    ] = None
    system: Annotated[Template, Meta(description="A template: the system text.")] = ""
    few_shot: Annotated[FewShot | None, Meta(description="Examples before each question.")] = None
    target: Annotated[
        Template | None,
        Meta(description="A template: the answer of an example; null: what answer.correct names."),
    ] = None
    target_separator: Annotated[
        str, Meta(description="Between a prompt and the answer of an example, or a choice.", max_length=100)
    ] = " "
    metrics: Annotated[
        tuple[Text, ...],
        Meta(
            description="The first is the main one. Names, or FILE.FUNCTION of a Python file beside this one; "
            "empty: the usual one of the kind of answer."
        ),
    ] = ()
    positive: Annotated[
        str, Meta(description="The class that f1, precision and recall are about, as the answer calls it.")
    ] = ""
    json_schema: Annotated[
        dict[str, Any] | None,
        Meta(description="A JSON Schema that a server holds written answers to, with --use-guided-json."),
    ] = None
    json_field: Annotated[
        str, Meta(description="Of an answer that is a JSON object, the field with what is read; empty: all.")
    ] = ""
    max_tokens: Annotated[Count | None, Meta(description="Of an answer.")] = None
    stop: Annotated[
        tuple[Ending, ...], Meta(description="Texts that end an answer, in completion style.")
    ] = ()
    tags: Annotated[
        dict[Name, Template], Meta(description="Templates; scores are also given by each value.")
    ] = {}


class Suite(_Part, frozen=True, kw_only=True):
    """A suite: what its scores are made of, and its tasks by name."""

    name: Annotated[Name, Meta(description="The name in results.")]
    version: Annotated[Text, Meta(description="Raised with every change that may change a score.")]
    about: Annotated[Text, Meta(description="One line.")]
    licence: Annotated[Text, Meta(description="Of the data.")]
    source: Annotated[str, Meta(description="Where the data comes from: a page, a paper.")] = ""
    score: Annotated[
        Literal["mean", "samples"],
        Meta(description="mean: of the tasks' main metrics; samples: each task weighs as much as its rows."),
    ] = "mean"
    tasks: Annotated[
        dict[Name, SuiteTask],
        Meta(
            description="The tasks. What stands beside it holds for every task that does not say otherwise."
        ),
    ] = {}


def json_schema() -> dict[str, Any]:
    """For editors, of a whole file: JSON Schema 2020-12."""
    _, found = msgspec.json.schema_components([Suite], ref_template="#/$defs/{name}")
    suite = found.pop("Suite")
    found["SuiteTask"] = {**found["SuiteTask"], "required": []}  # all of it may stand beside `tasks`
    properties = {**found["SuiteTask"]["properties"], **suite["properties"]}
    required = [name for name in suite["required"] if name != "tasks"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A suite of bench_runner",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        "$defs": found,
    }
