"""What stands between a run and its requests: a cache of answers, caps, and the prices of what is asked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from results.errors import UsageError
from results.records import Outcome
from settings.spending.options import CACHE_BYTES
from settings.spending.prices import charges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from evaluation.models.connection import ConnectionInfo
    from evaluation.spending.paid_requests import PaidRequests
    from results.records import Completion
    from results.spending import Spending


class SpendingAsked(msgspec.Struct, frozen=True, kw_only=True):
    """max_cost_usd, max_tokens: caps. cache_bytes: of the file of answers; None: they have the usual room.

    cache_identity: of a server on this machine, what its answers depend on beside the request: the content of the model
    and the settings that are in force.
    """

    max_cost_usd: float | None = None
    max_tokens: int | None = None
    cache: bool = False
    cache_bytes: int | None = None
    cache_identity: str = ""


def open_spending(
    asked: SpendingAsked,
    connection: ConnectionInfo,
    folder: Path,
    *,
    finished: Iterable[Completion],
    warn: Callable[[str], None],
) -> PaidRequests | None:
    """None where nobody charges, and neither a cap nor the cache was asked for. Close it when done.

    folder: the run's. finished: the completions of its earlier tries. Raises UsageError for a cap that can't be held.
    """
    is_paid = not is_own(connection)
    capped = asked.max_cost_usd is not None or asked.max_tokens is not None
    if not (is_paid or capped or asked.cache):
        return None
    from evaluation.spending.paid_requests import PaidRequests

    cache = budget = None
    if is_paid or capped:
        from evaluation.spending.budget import Budget, Caps
        from results.spending import read_spending
        from settings.spending.prices import price_of, require_price

        find = require_price if asked.max_cost_usd is not None else price_of
        budget = Budget(
            folder,
            price=find(connection.provider, connection.base_url, connection.model)
            if is_paid or capped
            else None,
            caps=Caps(max_cost_usd=asked.max_cost_usd, max_tokens=asked.max_tokens),
            earlier=_known(read_spending(folder), [*finished], capped=asked.max_cost_usd is not None),
        )
    if asked.cache:
        from evaluation.spending.response_cache import ResponseCache
        from results.response_store import store_path

        cache = ResponseCache(
            store_path(),
            where=asked.cache_identity or _root(connection),
            limit_bytes=asked.cache_bytes or CACHE_BYTES,
            warn=warn,
            by_name=not asked.cache_identity,
        )
    return PaidRequests(cache=cache, budget=budget)


def spent_so_far(folder: Path) -> dict[str, Any]:
    """What all tries of a run spent, for its summary; empty if nobody charges. Raises ResultsError."""
    from results.spending import read_spending

    spent = read_spending(folder)
    if spent is None:
        return {}
    told = structs.asdict(spent)
    del told["schema_version"]
    return {"spent": told}


def is_own(connection: ConnectionInfo) -> bool:
    """Whether a server of one's own answers, which charges nothing, and may serve something else tomorrow."""
    return not charges(connection.provider, connection.base_url)


def _root(connection: ConnectionInfo) -> str:
    if is_own(connection):
        raise UsageError(
            f"--cache can't tell what is served at {connection.base_url}: another model may stand there tomorrow",
            hint="say with --cache-identity what its answers depend on, or let `run` start the server",
            settings=("cache",),
        )
    return connection.base_url


def _known(earlier: Spending | None, finished: list[Completion], *, capped: bool) -> Spending | None:
    """What earlier tries spent: by what they wrote down, and at least by what their answers say."""
    from results.spending import Spending

    paid = [done for done in finished if done.outcome is not Outcome.INFRASTRUCTURE_ERROR]
    costs = [done.cost_usd for done in paid if done.cost_usd is not None]
    is_known = len(costs) == len(paid)
    if capped and not is_known and (earlier is None or earlier.most_cost_usd is None):
        raise UsageError(
            "--max-cost can't be held: what the earlier tries of this run cost is not known",
            hint="leave it out, or start a new run",
            settings=("max_cost",),
        )
    asked = [done for done in paid if not done.cached]
    tokens = sum((done.prompt_tokens or 0) + (done.completion_tokens or 0) for done in asked)
    cost = math.fsum(costs)
    if earlier is None:
        known = cost if is_known else None
        return (
            Spending(cost_usd=known, tokens=tokens, most_cost_usd=known, most_tokens=tokens) if paid else None
        )
    return structs.replace(
        earlier,
        cost_usd=None if earlier.cost_usd is None else max(earlier.cost_usd, cost),
        tokens=max(earlier.tokens, tokens),
        most_cost_usd=cost
        if earlier.most_cost_usd is None and is_known
        else max(earlier.most_cost_usd or 0.0, cost),
        most_tokens=max(earlier.most_tokens, tokens),
    )
