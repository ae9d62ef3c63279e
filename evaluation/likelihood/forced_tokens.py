"""How a server predicts tokens that it is given: the requests that ask for it, and what their answers say.

llama-server is made to write them: a grammar of token ids (llama.cpp#17816) leaves it no choice, and `n_probs` has it
report the likeliest tokens before the grammar is applied. It can't write a token that is a part of a character only, or
ends the text: such a one is looked up among the likeliest. vLLM reports all tokens of a prompt (`prompt_logprobs`).

What is no answer raises one of `UNREADABLE`.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluation.models.replies import as_mapping
from results.stats.divergence import LEAST_LOGPROB

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Mapping, Sequence

    Post = Callable[
        [str, Mapping[str, Any]], Awaitable[Any]
    ]  # to a path under the server's root: what it answers

NEWER_LLAMA = "use a newer llama.cpp: grammars of token ids came at the end of 2025"
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError)
_NO_CHOICE = {
    "temperature": 0,
    "samplers": ["top_k"],
    "ignore_eos": False,
}  # no samplers would mean the default ones
_LISTED = (
    1000,
    20_000,
    1 << 20,
)  # of the likeliest tokens, till one is among them: all of a vocabulary at last
_MAX_ID = 2**31


class PredictedToken(NamedTuple):
    """A given token, as the model saw it coming. likeliest: log-probabilities by id, of the token too; empty where the
    server told none.
    """

    token: int
    likeliest: dict[int, float]

    @property
    def logprob(self) -> float:
        """Of the token itself, natural logarithm, at least LEAST_LOGPROB."""
        return self.likeliest[self.token]

    @property
    def is_greedy(self) -> bool:
        """Whether no token was likelier."""
        return self.logprob >= max(self.likeliest.values())


async def forced_by_llama(
    post: Post,
    before: Sequence[int],
    forced: Sequence[int],
    *,
    unwritable: Container[int],
    plain: int,
    top: int,
    **options: Any,
) -> list[PredictedToken]:
    """How llama-server predicts tokens behind others: one request, and one more for each that it can't write, or that
    it took from a draft: of these it tells no probability.

    plain: any token that it can write. options: for its `/completion`. Raises what `post` raises, and `UNREADABLE`.
    """
    found: list[PredictedToken] = []
    for writable, run in itertools.groupby(forced, key=lambda token: token not in unwritable):
        tokens = list(run)
        if writable:
            for each in await _written_by_llama(post, [*before, *forced[: len(found)]], tokens, top, options):
                if not each.likeliest:
                    here = [*before, *forced[: len(found)]]
                    (alone,) = await _written_by_llama(
                        post, here, [each.token], top, options
                    )  # without a draft
                    if not alone.likeliest:
                        raise ValueError("it tells no probabilities of what it writes")
                    found.append(alone)
                else:
                    found.append(each)
            continue
        for token in tokens:
            here = [*before, *forced[: len(found)]]
            found.append(await _looked_up(post, here, token, plain=plain, top=top, options=options))
    return found


async def _written_by_llama(
    post: Post, before: Sequence[int], tokens: Sequence[int], top: int, options: Mapping[str, Any]
) -> list[PredictedToken]:
    answer = await post("/completion", {**llama_request(before, tokens, top=top), **options})
    return read_llama(answer, tokens)


def llama_request(before: Sequence[int], forced: Sequence[int], *, top: int) -> dict[str, Any]:
    """The body for llama-server's `/completion`."""
    grammar = "root ::= " + " ".join(f"<[{token}]>" for token in forced)
    return {
        "prompt": list(before),
        "grammar": grammar,
        "n_predict": len(forced),
        "n_probs": top,
        **_NO_CHOICE,
    }


def read_llama(answer: Any, forced: Sequence[int]) -> list[PredictedToken]:
    """What llama-server's answer says of the forced tokens."""
    given = as_mapping(answer).get("completion_probabilities") or ()
    found = [_written(each) for each in given]
    if [each.token for each in found] != list(forced):
        what = f"{len(found)} of {len(forced)}" if len(found) < len(forced) else "other"
        raise ValueError(f"it wrote {what} tokens, whatever the grammar says")
    return found


async def _looked_up(
    post: Post, before: Sequence[int], token: int, *, plain: int, top: int, options: Mapping[str, Any]
) -> PredictedToken:
    """Another token is written in its place, which the log-probabilities don't know of."""
    for listed in _LISTED:
        body = {
            "prompt": list(before),
            "logit_bias": [[plain, 1e4]],
            "n_predict": 1,
            "n_probs": listed,
            **_NO_CHOICE,
        }
        answer = as_mapping(await post("/completion", {**body, **options}))
        (written,) = map(_written, answer.get("completion_probabilities") or ())
        ranked = sorted(written.likeliest.items(), key=lambda each: -each[1])
        if token in written.likeliest:
            return PredictedToken(token, {**dict(ranked[:top]), token: written.likeliest[token]})
    raise ValueError(f"token {token} is not among the {len(ranked)} likeliest")


def vllm_request(model: str, prompts: Sequence[Sequence[int]], *, top: int) -> dict[str, Any]:
    """The body for vLLM's `/v1/completions`, for several prompts at once."""
    return {
        "model": model,
        "prompt": [list(prompt) for prompt in prompts],
        "max_tokens": 1,
        "temperature": 0,
        "prompt_logprobs": top,
    }


def read_vllm(
    answer: Any, tokens: Sequence[int], first: int, *, top: int, index: int = 0
) -> list[PredictedToken]:
    """What vLLM's answer says of a prompt's tokens from `first` on. index: of the prompt in the request."""
    choices = {each.get("index", place): each for place, each in enumerate(answer["choices"])}
    given = choices[index]["prompt_logprobs"]
    if len(given) != len(tokens):
        raise ValueError(f"{len(given)} tokens instead of {len(tokens)}")
    return [_of_prompt(token, each, top) for token, each in zip(tokens[first:], given[first:], strict=True)]


def tokenize_request(kind: str, model: str, text: str, *, begin: bool, special: bool) -> dict[str, Any]:
    """The body for `/tokenize` of llama-server or, if kind is "vllm", of vLLM.

    begin: with the token that begins a prompt of this model. special: special tokens in the text are read as such
    (vLLM always does so).
    """
    if kind == "vllm":
        return {"model": model, "prompt": text, "add_special_tokens": begin}
    return {"content": text, "add_special": begin, "parse_special": special, "with_pieces": True}


def read_ids(answer: Any) -> tuple[list[int], set[int]]:
    """The ids of a text's tokens, at least one; and of these the ones that llama-server can't write."""
    tokens = as_mapping(answer).get("tokens")
    if not isinstance(tokens, list) or not tokens:
        raise ValueError("no ids of tokens")
    ids, unwritable = [], set()
    for token in tokens:
        told = as_mapping(token)
        ids.append(_id(told.get("id") if told else token))
        piece = told.get("piece", " ")
        if not (isinstance(piece, str) and piece and piece[0] != "\0"):
            unwritable.add(ids[-1])
    return ids, unwritable


def _written(given: Mapping[str, Any]) -> PredictedToken:
    found = {_id(each["id"]): _logprob(each["logprob"]) for each in given["top_logprobs"]}
    token, own = _id(given["id"]), _logprob(given["logprob"])
    if found:
        found.setdefault(token, own)
    return PredictedToken(token, found)


def _of_prompt(token: int, given: Mapping[str, Mapping[str, Any]], top: int) -> PredictedToken:
    """The prompt's token stands behind the likeliest. Of equal likelihood there may be more than were asked for."""
    found = {
        int(name): _logprob(each["logprob"])
        for name, each in given.items()
        if each["rank"] <= top or int(name) == token
    }
    if token not in found:
        raise ValueError("the prompt's own token is missing")
    return PredictedToken(token, found)


def _id(value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MAX_ID:
        raise ValueError(f"{value!r} is no id of a token")
    return value


def _logprob(value: Any) -> float:
    number = float(value)
    if math.isnan(number) or number > 1e-3:  # servers round
        raise ValueError(f"{value!r} is no logarithm of a probability")
    return max(min(number, 0.0), LEAST_LOGPROB)
