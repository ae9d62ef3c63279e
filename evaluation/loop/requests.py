"""From a task's samples to the requests for completions of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from evaluation.models.asked import asked_by
from evaluation.protocols import PromptStyle, Request
from results.errors import UsageError
from results.json_text import encode
from results.stats.sample_order import order_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evaluation.models.sampling import Sampling
    from evaluation.protocols import Prompt, Sample, Task


def make_request(task: Task, sample: Sample, sampling: Sampling) -> Request:
    """What to ask for the first completion of a sample. sampling: the run's.

    The request depends on nothing else, so that it is the same after a resume, whoever answers it.
    """
    prompt = task.get_prompt(sample)
    seed = _seed(sampling, sample.task_id, 0)
    request = Request(
        task_id=sample.task_id,
        index=0,
        style=sample.style or task.style,
        system=sampling.system(prompt.system),
        user=prompt.user,
        sampling=msgspec.structs.replace(sampling, seed=seed, max_tokens=_max_tokens(sample, sampling)),
        stop=sample.stop or task.stop,
        json_schema=sample.json_schema or task.json_schema,
        choices=sample.choices,
        continuations=sample.continuations,
        history=prompt.history,
        tools=prompt.tools,
    )
    return msgspec.structs.replace(request, prompt_sha256=asked_by(request).sha256)


def request_again(first: Request, index: int, sampling: Sampling) -> Request:
    """What to ask for another completion of the sample. first: for the first one. sampling: the run's."""
    if index == first.index:
        return first
    own = msgspec.structs.replace(first.sampling, seed=_seed(sampling, first.task_id, index))
    return msgspec.structs.replace(first, index=index, sampling=own)


def _seed(sampling: Sampling, task_id: str, index: int) -> int | None:
    return None if sampling.seed is None else request_seed(sampling.seed, task_id, index)


def _max_tokens(sample: Sample, sampling: Sampling) -> int:
    """The sample's own limit only makes the run's default smaller: what a user asks for holds."""
    if sample.max_tokens is None or "max_tokens" in sampling.given:
        return sampling.max_tokens
    return min(sample.max_tokens, sampling.max_tokens)


def require_schema(requests: Iterable[Request], benchmark: str) -> None:
    """Raise UsageError unless there is a JSON schema that answers can be held to."""
    schemas = {request.style for request in requests if request.json_schema is not None}
    if PromptStyle.CHAT not in schemas:
        what = "is asked for texts to go on with" if schemas else "has no JSON schema for its answers"
        raise UsageError(
            f"--use-guided-json: {benchmark} {what}",
            hint="give --prompt-style chat" if schemas else "leave --use-guided-json out",
            settings=("use_guided_json",),
        )


def request_seed(seed: int, task_id: str, index: int) -> int:
    """The seed of one request, from the run's and what is asked: 31 bits, which every server takes."""
    digest = hashlib.sha256(f"{seed}/{task_id}/{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def shuffled(samples: Sequence[Sample], seed: int) -> list[Sample]:
    """See `results.stats.sample_order`."""
    return sorted(samples, key=lambda sample: order_key(seed, sample.task_id))


def prompts_sha256(prompts: Iterable[Prompt]) -> str:
    """Of every prompt as it is sent, so that another wording is another benchmark."""
    digest = hashlib.sha256()
    for prompt in prompts:
        digest.update(f"{prompt.system}\0{prompt.user}\0".encode())
        if prompt.history or prompt.tools:  # what older benchmarks don't have changes nothing of them
            digest.update(encode([prompt.history, prompt.tools]))
    return digest.hexdigest()
