"""Whether lm-eval's log-likelihoods are real.

It asks for the log-probabilities of a prompt's tokens (`echo`). Servers that give only those of generated tokens, such
as llama.cpp's, are not told by lm-eval: each answer has the log-likelihood 0, the first choice is always the likeliest,
and the accuracy is the share of samples whose first choice is right.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from parsers.files import entry
from parsers.output import count, json_object, listed, number
from results.errors import ParseError
from results.files import open_to_read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BY_LIKELIHOOD = {"multiple_choice", "loglikelihood", "loglikelihood_rolling"}
_OVER_HTTP = {"local-completions", "openai-completions", "gguf", "ggml"}
# What these metrics are where every log-likelihood is 0, and of no model's answers.
_OF_ZEROS = {"perplexity": 1, "word_perplexity": 1, "byte_perplexity": 1, "bits_per_byte": 0}
_READ_SAMPLES = 50
_LONGEST_LINE = 4 << 20
_MOST_CHOICES = 10


def require_likelihoods(path: Path, found: dict[str, Any], prompt_logprobs: bool | None) -> tuple[str, ...]:
    """The warnings there are. path: of the results, whose samples lie beside it; prompt_logprobs: whether the server
    gives them, None where that is not known. Raises ParseError for results that are none.
    """
    doubted = []
    for task in found["results"]:
        if why := _why_refused(path, found, task, prompt_logprobs):
            raise ParseError(
                f"{path}: the result of {task} does not come from the model: {why}; lm-eval takes what is "
                "missing for 0, so that the first choice always wins",
                hint="use a server that reports them, such as vLLM, or a task that generates its answers; if "
                "lm-eval asked another server, give its address with --base-url",
            )
        if prompt_logprobs is None and _by_likelihood(found, task) and _at_chance(found, task):
            doubted.append(task)
    if not doubted:
        return ()
    told = "exactly at chance, as on a server that gives no log-probabilities of prompts"
    return (f"{listed(doubted)}: {told}; lm_eval --log_samples shows whether every log-likelihood is 0",)


def _why_refused(path: Path, found: dict[str, Any], task: str, prompt_logprobs: bool | None) -> str:
    """Empty: it is not."""
    row = found["results"][task]
    for key, value in row.items():
        name, comma, _ = key.partition(",")
        if comma and name in _OF_ZEROS and number(value) == _OF_ZEROS[name]:
            return f"{name} is exactly {_OF_ZEROS[name]}, so every log-likelihood is 0"
    by_likelihood = _by_likelihood(found, task)
    if by_likelihood is False:
        return ""
    zeros = list(itertools.islice(_likelihoods(path, task), 2 * _READ_SAMPLES))
    if len(zeros) > 1 and not any(zeros):
        return "every log-likelihood of its samples is 0"
    if prompt_logprobs is False and (by_likelihood or _at_chance(found, task)):
        return "the server gives no log-probabilities of a prompt, by which the choices are scored"
    return ""


def _by_likelihood(found: dict[str, Any], task: str) -> bool | None:
    """Whether it was scored by log-likelihoods that a server was asked for; None where the file does not say."""
    model, kind = entry(found, "config", "model"), entry(found, "configs", task, "output_type")
    if isinstance(model, str) and model not in _OVER_HTTP:
        return False
    if isinstance(kind, str):
        return kind in _BY_LIKELIHOOD
    # A group's own figures follow from those of its tasks.
    return None if "acc,none" in found["results"][task] else False


def _at_chance(found: dict[str, Any], task: str) -> bool:
    """With one choice in k, to the sample; or with the choices' lengths taken into account as without."""
    row = found["results"][task]
    accuracy, normed = number(row.get("acc,none")), number(row.get("acc_norm,none"))
    if accuracy is None or (normed is not None and normed != accuracy):
        return False
    samples = count(entry(found, "n-samples", task, "effective")) or 10_000
    near = any(abs(accuracy - 1 / k) <= 0.5 / samples for k in range(2, _MOST_CHOICES + 1))
    return near or normed is not None


def _likelihoods(path: Path, task: str) -> Iterator[float]:
    """Those of the first samples, where they were logged: resps is [[[log-likelihood, is greedy]], ...], as text."""
    try:
        samples = path.with_name(
            f"samples_{task}_{path.stem.rpartition('_')[2]}.jsonl"
        )  # a task may be named a/b
        with open_to_read(samples) as file:
            lines = [file.readline(_LONGEST_LINE) for _ in range(_READ_SAMPLES)]
    except (OSError, ValueError):
        return
    for line in lines:
        answers = (json_object(line) or {}).get("resps")
        for answer in answers if isinstance(answers, list) else []:
            first = answer
            while isinstance(first, list) and first:
                first = first[0]
            try:
                yield float(first)
            except (TypeError, ValueError):
                return
