"""The interface that fits a connection."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import TYPE_CHECKING

from evaluation.models.parameters import Parameters
from evaluation.models.sampling import Dialect
from settings.providers import provider_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.exchange import Spending
    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.models.sampling import Sampling
    from evaluation.rate_limits.limiter import RateLimiter

_DIALECTS = {"ollama": Dialect.OLLAMA, "anthropic": Dialect.ANTHROPIC}


def get_interface_for_provider(
    connection_info: ConnectionInfo,
    *,
    provider_type: str | None = None,
    model_name: str | None = None,
    parameters: Parameters | None = None,
    server_wait: float = 120.0,
    on_outage: Callable[[bool], None] = lambda _down: None,
    on_wait: Callable[[str], None] = lambda _said: None,
    spending: Spending | None = None,
) -> OpenAIInterface:
    """The interface to a provider; close it when done.

    provider_type, model_name: where they are others than the connection's. parameters: of the requests, where more is
    known of them than the connection says. server_wait: seconds that a dead server is waited for. on_outage: called
    with True when it is found dead and with False when it is back. on_wait: is told, in a sentence, of a long wait for
    a rate limit. spending: of what requests cost and which need not be sent; None: all are sent.
    """
    info = connection_info
    if provider_type is not None or model_name is not None:
        name = provider_of(provider_type).name if provider_type else info.provider
        info = dataclasses.replace(info, provider=name, model=model_name or info.model)
    is_limited = not (info.is_loopback and info.facts.is_local)
    with contextlib.nullcontext() if info.needs_certificates else no_certificates():
        make = _class_for(info)
    return make(
        info,
        parameters=parameters or parameters_for(info),
        server_wait=server_wait,
        on_outage=on_outage,
        limiter=_rate_limiter(info, on_wait) if is_limited else None,
        make_limiter=lambda: _rate_limiter(info, on_wait),
        spending=spending,
    )


def _rate_limiter(info: ConnectionInfo, on_wait: Callable[[str], None]) -> RateLimiter:
    from evaluation.rate_limits.limiter import RateLimiter

    return RateLimiter(info.base_url, patience_s=info.rate_limit_patience, on_wait=on_wait)


def parameters_for(
    info: ConnectionInfo,
    *,
    sampling: Sampling | None = None,
    left_out: Iterable[str] = (),
    sent_as: Mapping[str, str] | None = None,
    on_learnt: Callable[[str], None] = lambda _: None,
) -> Parameters:
    """What is known of a provider's parameters before anything is asked: by its row, and as an earlier try learnt."""
    facts = info.facts
    sampling = info.sampling if sampling is None else sampling
    no_seed = () if facts.supports.seed else ("seed",)
    is_greedy = sampling.temperature == 0  # then a seed changes nothing, and its absence divides no runs
    names = {} if facts.limit_field == "max_tokens" else {"max_tokens": facts.limit_field}
    return Parameters(
        sampling,
        left_out={*left_out, *(() if is_greedy else no_seed)},
        without_effect=no_seed if is_greedy else (),
        sent_as={**names, **(sent_as or {})},
        limit_by_row=bool(names),
        extra=info.provider_params,
        drops="" if "provider" in info.provider_params else facts.drops,
        dialect=_DIALECTS.get(facts.api, Dialect.VLLM),
        on_learnt=on_learnt,
    )


def _class_for(info: ConnectionInfo) -> type[OpenAIInterface]:
    """Imported here: an HTTP client takes long to import, and only one of them is needed."""
    if info.facts.api == "ollama":
        from evaluation.models.adapters.ollama import OllamaInterface

        return OllamaInterface
    if info.facts.api == "anthropic":
        from evaluation.models.adapters.anthropic import AnthropicInterface

        return AnthropicInterface
    from evaluation.models.openai_interface import OpenAIInterface

    return OpenAIInterface


@contextlib.contextmanager
def no_certificates() -> Iterator[None]:
    """OpenSSL finds none. While it is imported, aiohttp reads all that the system has: a fifth of a script's start."""
    hidden = {name: os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    os.environ.update(dict.fromkeys(hidden, os.devnull))
    try:
        yield
    finally:
        for name, value in hidden.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
