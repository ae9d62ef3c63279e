"""What a server's failure says where tools were offered: that it takes none, or that the model's call is none."""

from __future__ import annotations

import re

from evaluation.models.failures import NotFound, Refused, TooLong, Transient
from evaluation.models.refusals import refused_parameters
from evaluation.protocols import Answer
from results.errors import ServerError
from results.messages import ToolCall

# llama-server, vLLM, Ollama, OpenRouter, Groq, Mistral, each with its own words. Compiled where it is needed.
_NO_TOOLS = (
    r"\btools?([ _](choice|param))*\b[^.\n]{0,20}\brequires? --"
    r"|(\b(does not|doesn't|not) support (the )?|endpoints found that support )['\"`]?(tool|function)"
    r"|\b(tools?|functions?)([ _-]?(use|call\w*|choice|parameter))?['\"`]? (is|are) (un|not )"
    r"(supported|enabled|available|allowed|permitted|implemented)"
)
# llama-server parses what the model wrote, and answers 500 where that fails; Groq answers 400.
_NO_CALL = (
    r"Failed to parse input at pos|The model produced output that does not match the expected"
    r"|tool_use_failed|Failed to call a function|tool call validation failed"
)
NO_TOOLS_HINT = (
    "start llama-server with --jinja, vLLM with --enable-auto-tool-choice --tool-call-parser NAME (`run` passes on "
    "what stands behind `--`); else choose a model and a server that know tools"
)
UNREADABLE = "unreadable_call"  # the reason for which such an answer ended


def answer_without(error: Refused | Transient | NotFound) -> Answer:
    """The answer that this failure is, of a request that offered tools: a call that nobody can read.

    Raises ServerError where the server takes no tools, and the failure itself where it is of another kind.
    """
    said = str(error)
    if isinstance(error, TooLong):
        raise error
    if re.search(_NO_CALL, said, re.IGNORECASE):
        return Answer(
            finish_reason=UNREADABLE, tool_calls=(ToolCall(name="", arguments=said.partition(": ")[2]),)
        )
    named = isinstance(error, Refused) and refused_parameters(error.raw, ("tools",))
    if named or re.search(_NO_TOOLS, said, re.IGNORECASE):
        raise ServerError(f"the server takes no tools: {said}", hint=NO_TOOLS_HINT) from error
    raise error
