"""The context of a slot if none is given: the usual one, or as much as the benchmark's longest request needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.errors import UsageError

if TYPE_CHECKING:
    from servers.request import ServerRequest

DEFAULT_CTX_SIZE = 4096  # twice what a HumanEval prompt and a chat model's long answer need


def choose_ctx_size(request: ServerRequest, *, trained: int | None, least: int = 1, step: int = 1) -> int:
    """Tokens of context for each slot: those asked for, else the usual number or what the longest request needs.

    trained: the model's own, if known. least: the server's smallest context. step: what it rounds up to.
    Raises UsageError if the longest request does not fit; a context beyond the training must be asked for.
    """
    if request.ctx_size is not None:
        require_room(request, request.ctx_size, "--ctx-size")
        return request.ctx_size
    usual = max(least, min(DEFAULT_CTX_SIZE, trained or DEFAULT_CTX_SIZE))
    longest = request.longest
    if longest is None or longest.tokens <= usual:
        return usual
    if trained is not None and not longest.fits(trained):
        name = request.model.name if request.model else "the model"
        raise UsageError(
            f"{longest.sentence}, but {name} was trained on {trained:,}",
            hint=f"{_at_most(request, trained)}; to go beyond the training, give --ctx-size {longest.tokens}",
            settings=(longest.setting, longest.answer_setting, "model"),
        )
    rounded = -(-longest.tokens // step) * step
    return rounded if trained is None else min(rounded, trained)


def require_room(request: ServerRequest, ctx_size: int, origin: str) -> None:
    """Raise UsageError if the longest request does not fit in a slot of so many tokens. origin: who says so many."""
    longest = request.longest
    if longest is not None and not longest.fits(ctx_size):
        raise UsageError(
            f"{longest.sentence}, but {origin} gives each slot {ctx_size:,}",
            hint=f"leave {origin} out, and the context is chosen to fit; or {_at_most(request, ctx_size)}",
            settings=("ctx_size", longest.setting),
        )


def deepest(request: ServerRequest, ctx_size: int) -> int:
    """The longest prompt whose answer still fits in a slot of so many tokens; 0 if there is none."""
    return max(0, ctx_size - (request.longest.output_tokens if request.longest else 0))


def _at_most(request: ServerRequest, ctx_size: int) -> str:
    longest, prompt = request.longest, deepest(request, ctx_size)
    if longest is None or prompt < longest.least_prompt:
        setting = longest.answer_setting if longest else "output_tokens"
        return f"ask for shorter answers: --{setting.replace('_', '-')}"
    return f"{longest.option} {prompt} is the most that fits"
