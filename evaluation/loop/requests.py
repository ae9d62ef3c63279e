"""From a task's sample to the request for one completion of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from evaluation.models.asked import asked_by
from evaluation.protocols import Request

if TYPE_CHECKING:
    from evaluation.models.sampling import Sampling
    from evaluation.protocols import Sample, Task


def make_request(task: Task, sample: Sample, index: int, sampling: Sampling) -> Request:
    """What to ask for the completion `index` of a sample. sampling: the run's.

    The request depends on nothing else, so that it is the same after a resume, whoever answers it.
    """
    prompt = task.get_prompt(sample)
    seed = None if sampling.seed is None else request_seed(sampling.seed, sample.task_id, index)
    request = Request(
        task_id=sample.task_id,
        index=index,
        style=sample.style or task.style,
        system=sampling.system(prompt.system),
        user=prompt.user,
        sampling=msgspec.structs.replace(sampling, seed=seed, max_tokens=_max_tokens(sample, sampling)),
        stop=sample.stop or task.stop,
        json_schema=task.json_schema,
        choices=sample.choices,
        continuations=sample.continuations,
        history=prompt.history,
        tools=prompt.tools,
    )
    return msgspec.structs.replace(request, prompt_sha256=asked_by(request).sha256)


def _max_tokens(sample: Sample, sampling: Sampling) -> int:
    """The sample's own limit only makes the run's default smaller: what a user asks for holds."""
    if sample.max_tokens is None or "max_tokens" in sampling.given:
        return sampling.max_tokens
    return min(sample.max_tokens, sampling.max_tokens)


def request_seed(seed: int, task_id: str, index: int) -> int:
    """The seed of one request, from the run's and what is asked: 31 bits, which every server takes."""
    digest = hashlib.sha256(f"{seed}/{task_id}/{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
