"""Choose between answers by the probability of the first token, as servers report it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from evaluation.models.replies import read_json
from evaluation.protocols import PromptStyle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CERTAIN = 1.001  # servers round
_TOP = 20  # the most that OpenAI's chat, and vLLM as it comes, report

# A turn of a conversation may begin with anything, such as a thought: what it then says of the letters is noise. So the
# choices together must have this share there. A text that ends in "Answer:" leaves nothing else to say, and MMLU's
# authors compare the choices there however unlikely they are.
_LEAST_TOGETHER = {PromptStyle.CHAT: 0.1, PromptStyle.COMPLETION: 0.0}


def logprobs_wanted(style: PromptStyle) -> dict[str, Any]:
    """What a request's body needs, so that its answer has log-probabilities."""
    if style is PromptStyle.CHAT:
        return {"logprobs": True, "top_logprobs": _TOP}
    return {"logprobs": _TOP}


def first_token(raw: bytes) -> Mapping[str, float] | None:
    """The likeliest first tokens of an answer, each with its probability; None where the server gives none.

    Tokens of the same text are one. Raises ValueError where this is no answer of a model.
    """
    try:
        choice = read_json(raw)["choices"][0]
        found = choice.get("logprobs")
        if found is None:
            return None
        # Chat everywhere, and llama-server's completions: [{"token": " A", "logprob": -0.1}, ...];
        # completions of vLLM and OpenAI: {" A": -0.1, ...}.
        content = found.get("content")
        if content is None:
            tops = found.get("top_logprobs")
            if tops is None:
                return None
            pairs = list(tops[0].items()) if tops and tops[0] else []
        else:
            pairs = [(top["token"], top["logprob"]) for top in content[0]["top_logprobs"]] if content else []
        likely: dict[str, float] = {}
        for token, logprob in pairs:
            if not isinstance(token, str):
                raise TypeError("a token is not a text")
            probability = 0.0 if logprob is None else math.exp(logprob)
            if not probability <= _CERTAIN:  # NaN too
                raise TypeError("not the logarithm of a probability")
            likely[token] = likely.get(token, 0.0) + probability
    except (KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not an answer with log-probabilities: {error!r}") from error
    return likely


def choice_probabilities(
    likely: Mapping[str, float], choices: Sequence[str], style: PromptStyle
) -> dict[str, float]:
    """The probability of each choice that is among the likely tokens, summed over its variants (`A`, ` A`).

    Empty where the first token does not tell the choice: none is among them, or, in chat, all together have less than
    a tenth.
    """
    found: dict[str, float] = {}
    for token, probability in likely.items():
        if (choice := token.strip()) in choices:
            found[choice] = found.get(choice, 0.0) + probability
    together = math.fsum(found.values())
    if not found or together < _LEAST_TOGETHER[style]:
        return {}
    return {choice: found[choice] for choice in choices if choice in found}  # of a tie the first is taken
