"""The file that an optimiser writes and `run --prompt FILE` uses: a prompt with its lineage."""

from __future__ import annotations

import hashlib

import msgspec

from results.json_text import encode
from results.records import decode_versioned

PROMPT_VERSION = 1


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A worked example shown before the question. sample: the task_id that it was taken from, "" if written anew."""

    question: str
    answer: str
    sample: str = ""


class PromptText(msgspec.Struct, frozen=True, kw_only=True):
    """What is added to a benchmark's own prompt: an instruction as system text (after the user's `--system-prompt`,
    before the task's own), and examples as earlier turns of the conversation. Both empty: the benchmark as it is.
    """

    instruction: str = ""
    examples: tuple[Example, ...] = ()

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


class PromptFile(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt by hand needs no lineage."""

    schema_version: int = PROMPT_VERSION
    prompt: PromptText
    lineage: Lineage | None = None
    gain: Gain | None = None


def decode_prompt_file(data: bytes, *, where: str) -> PromptFile:
    """Read a prompt file. where: the file, for the message. Raises ResultsError if it is newer or not a prompt file."""
    return decode_versioned(data, PromptFile, version=PROMPT_VERSION, where=where, what="a prompt file")
