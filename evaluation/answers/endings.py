"""How an answer ended, from the many names that servers and providers give it."""

from __future__ import annotations

import enum
import functools
import re


class Ending(enum.Enum):
    """By its own end or at a stop sequence; at the limit of tokens; because the context was full; by a content filter;
    or broken off by the server, so that it is no answer.
    """

    OWN = "own"
    LIMIT = "limit"
    CONTEXT = "context"
    FILTER = "filter"
    BROKEN_OFF = "broken off"


# The names of OpenAI and Azure, Anthropic, Gemini, Mistral, Cohere, DeepSeek, Zhipu, Bedrock, vLLM, SGLang, TGI,
# TensorRT-LLM, Ollama, LM Studio. The first pattern that is found in a name holds: Cohere's ERROR_LIMIT is a full
# context and ERROR_TOXIC a filter. A name that is not known is the answer's own end.
_NAMES = {
    Ending.FILTER: (
        r"filter|safety|sensitive|moderat|guardrail|toxic|prohibit|block|recitation|spii|refus|policy|violation"
    ),
    Ending.CONTEXT: r"context|(?:^|_)ctx_|model_length|error_limit|cache_full",
    Ending.BROKEN_OFF: (
        r"abort|error|cancel|fail|exception|interrupt|time_?(?:d_?)?(?:out|limit)|unload|disconnect|exhaust|insufficient"
        r"|overload|preempt|evict|shut(?:ting)?_?down|restart|^terminated|crash|kill|dead$|dropped|reject|unavailable|user_stopped|not_finished|rate_limit"
        r"|out_of_mem|(?:^|_)oom(?:$|_)|no_capacity|network|deadline|^load$"
    ),
    Ending.LIMIT: r"length|max|limit|truncat|incomplete|budget|^cut|n(?:um)?_predict",
}
_USUAL = {"": Ending.OWN, "stop": Ending.OWN, "length": Ending.LIMIT}  # which need no pattern
_LONGEST_NAME = 100


@functools.lru_cache(maxsize=64)
def ending_of(finish_reason: str) -> Ending:
    """Of the name that stands in an answer; "" where there is none."""
    if finish_reason in _USUAL:
        return _USUAL[finish_reason]
    # One spelling: camelCase, SCREAMING, with blanks or hyphens.
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", finish_reason[:_LONGEST_NAME])
    name = re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
    return next((ending for ending, pattern in _NAMES.items() if re.search(pattern, name)), Ending.OWN)
