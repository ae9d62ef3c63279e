"""The file that an optimiser writes and `run --prompt FILE` uses: a prompt with its lineage."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from results.errors import ResultsError, UsageError
from results.files import open_to_read
from results.json_text import encode
from results.records import decode_versioned

if TYPE_CHECKING:
    from pathlib import Path

PROMPT_VERSION = 1
PROMPT_NAME = "prompt.json"  # in an optimiser's run
PROMPT_SHA256 = "prompt_sha256"  # what a record and a run's settings know a prompt by
MOST_BYTES = 4 << 20
MOST_EXAMPLES = 200


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A worked example shown before the question. sample: the task_id that it was taken from, "" if written anew."""

    question: str
    answer: str
    sample: str = ""


class PromptText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is added to a benchmark's own prompt: an instruction as system text (after the user's `--system-prompt`,
    before the task's own), and examples as earlier turns of the conversation. Both empty: the benchmark as it is.
    """

    instruction: str = ""
    examples: tuple[Example, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it adds nothing."""
        return not self.instruction and not self.examples

    @property
    def sha256(self) -> str:
        """Of what the model is told: where an example comes from doesn't count."""
        told = [self.instruction, [[example.question, example.answer] for example in self.examples]]
        return hashlib.sha256(encode(told)).hexdigest()


class Gain(msgspec.Struct, frozen=True, kw_only=True):
    """Told once, on the test split, against the seed prompt. Scores in percent; `says`: the sentence."""

    seed_score: float
    score: float
    samples: int
    p_value: float | None = None
    shown: bool = False
    says: str = ""


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a prompt comes from. parents: hashes of the prompts it was made of, oldest first, the seed prompt's being
    the first. splits: sha256 over the samples of train, validation and test. run_id: of the optimiser's run.
    """

    benchmark: str
    model: str
    optimizer: str
    seed: int
    run_id: str = ""
    parents: tuple[str, ...] = ()
    splits: dict[str, str] = {}
    evaluations: int | None = None
    made: str = ""


class PromptFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt by hand needs no lineage. A field that isn't known is refused: it is a misspelt one, since newer files
    have a higher version.
    """

    schema_version: int = PROMPT_VERSION
    prompt: PromptText
    lineage: Lineage | None = None
    gain: Gain | None = None


def decode_prompt_file(data: bytes, *, where: str) -> PromptFile:
    """Read a prompt file. where: the file, for the message. Raises ResultsError if it is newer or not a prompt file."""
    return decode_versioned(data, PromptFile, version=PROMPT_VERSION, where=where, what="a prompt file")


def read_prompt_file(path: Path) -> PromptFile:
    """Read what `--prompt` names. Raises UsageError for a file that can't be read, is none, newer, or too large."""
    try:
        with open_to_read(path) as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _refused(f"{path} can't be read: {error.strerror or error}", "give a prompt file") from error
    if len(data) > MOST_BYTES:
        raise _refused(
            f"{path} is larger than {MOST_BYTES >> 20} MiB, so it can't be a prompt", "give a prompt file"
        )
    try:
        found = decode_prompt_file(data, where=str(path))
    except ResultsError as error:
        hint = error.hint if "newer" in error.message else f"it needs the form {_FORM}; see docs/optimise.md"
        raise _refused(error.message, hint) from error
    if len(found.prompt.examples) > MOST_EXAMPLES:
        raise _refused(f"{path} has more than {MOST_EXAMPLES} examples", "leave some out")
    return found


_FORM = """{"prompt": {"instruction": "...", "examples": [{"question": "...", "answer": "..."}]}}"""


def _refused(message: str, hint: str) -> UsageError:
    return UsageError(f"--prompt: {message}", hint=hint, settings=("prompt",))
