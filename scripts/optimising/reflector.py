"""Who writes prompts: the model itself, or another one at a provider or an address of its own."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.sampling import Sampling
from evaluation.spending.opening import is_own, open_spending
from results.errors import ServerError
from scripts.arguments import spending_of
from settings.optimising.rows import REFLECTOR_KEY
from settings.providers import COMPATIBLE, provider_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.spending.opening import SpendingAsked
    from scripts.optimising.asked import Search
    from scripts.sessions.server_session import Reached, ServerSession

FOLDER = "reflector"  # in the run's, for what its answers cost
_MAX_TOKENS = (
    1024  # an instruction takes hundreds; more must fit into a slot's context beside what it is told
)
_TEMPERATURE = 1.0  # the same words for every trial would be of no use


class Reflector(NamedTuple):
    """price: of its requests, where there is one and a cap needs it."""

    interface: OpenAIInterface
    price: Any


def reflecting_by(sampling: Sampling, search: Search) -> Sampling:
    """How a reflector is asked: freely, and with room for a prompt. sampling: the run's."""
    return Sampling(
        temperature=_TEMPERATURE,
        max_tokens=search.reflector_max_tokens or _MAX_TOKENS,
        seed=sampling.seed,
        chat_template_kwargs=sampling.chat_template_kwargs,
    )


def without_price(asked: SpendingAsked, info: ConnectionInfo) -> SpendingAsked:
    """A cap in money holds where money is spent: a server of one's own beside it has no price."""
    return replace(asked, max_cost_usd=None) if is_own(info) else asked


@contextlib.asynccontextmanager
async def open_reflector(session: ServerSession, reached: Reached) -> AsyncIterator[Reflector]:
    """Open the connection to the reflector. Raises BenchError where it isn't there."""
    arguments, search = session.arguments, session.arguments.search
    if search is None or not search.reflector:
        yield Reflector(reached.interface, getattr(session, "price", None))
        return
    facts = provider_of(search.reflector_provider or COMPATIBLE)
    key = REFLECTOR_KEY if os.environ.get(REFLECTOR_KEY) else None
    info = build_connection_info(
        facts.name,
        {
            "base_url": search.reflector_base_url,
            "model": search.reflector_model,
            "api_key_env": key,
            "timeout": arguments.request_timeout,
            "rate_limit_patience": arguments.rate_limit_patience,
            "max_retries": arguments.max_retries,
        },
    )
    folder = arguments.output / FOLDER
    folder.mkdir(exist_ok=True)
    asked = without_price(spending_of(arguments), info)
    spending = open_spending(asked, info, folder, finished=(), warn=session.warn)
    if spending is not None and reached.spending is not None:
        spending.share_with(reached.spending)
    interface = get_interface_for_provider(
        info, server_wait=arguments.server_wait, on_wait=session.events.say, spending=spending
    )
    price = None
    if asked.max_cost_usd is not None:
        from settings.spending.prices import price_of

        price = price_of(info.provider, info.base_url, info.model)
    async with contextlib.AsyncExitStack() as closing:
        if spending is not None:
            closing.push_async_callback(spending.close)
        await closing.enter_async_context(interface)
        try:
            await interface.check_connection(arguments.max_retries, max(10.0, arguments.server_wait))
        except ServerError as error:
            hint = error.hint.replace("--base-url", "--reflector-base-url")
            raise type(error)(f"the reflector: {error.message}", hint=hint) from error
        yield Reflector(interface, price)
