"""The prompt of a request, as it goes to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.protocols import PromptStyle
from results.messages import Message
from results.prompts.sent_prompts import SentPrompt, sent_prompt

if TYPE_CHECKING:
    from evaluation.protocols import Request


def asked_by(request: Request) -> SentPrompt:
    """Messages of a chat, or the text to go on with. An empty system text is not sent."""
    if request.style is PromptStyle.COMPLETION:
        return sent_prompt(request.task_id, request.system + request.user)
    system = (Message("system", request.system),) if request.system else ()
    asked = (*system, *request.history, Message("user", request.user), *request.turns)
    return sent_prompt(request.task_id, asked, request.tools)
