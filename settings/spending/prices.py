"""What a provider charges for the tokens of a request, by the price lists of `genai-prices`, without a network.

The library is optional (`bench-runner[providers]`) and takes a third of a second to import, so it is imported where a
price is asked for.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from results.errors import UsageError
from results.extras import install_command
from settings.providers import COMPATIBLE, LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

# What the price lists call a provider, where that is another name than ours.
_LISTED_AS = {"gemini": "google", "xai": "x-ai"}
_ROUTED = (
    "huggingface"  # its prices are those of the provider behind it, which stands behind the model's name
)
_FREE = {"ollama"}
_BY_ADDRESS = {"", LOCAL, COMPATIBLE}  # names that say how one is asked, and not who answers
_LOOK_AGAIN = dt.timedelta(hours=1)
_STEP_TOKENS = 128  # to which the worst case is rounded up: computing it takes a millisecond


class PaidTokens(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one request, as a provider counts them.

    input_tokens: all of the prompt, those included that were read from the provider's cache or written to it.
    output_tokens: all that was generated, thoughts included. stated_cost_usd: what the provider itself says that the
    request costs. service_tier: at which it was served, "" where that is not told.
    """

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    stated_cost_usd: float | None = None
    service_tier: str = ""


class Price:
    """What one model costs at one provider."""

    def __init__(self, provider: Any, model: Any) -> None:
        self._provider = provider
        self._model = model
        self._dearest: Sequence[Any] = ()
        self._worst: dict[tuple[int, int], float] = {}
        self._looked = dt.datetime.min.replace(tzinfo=dt.UTC)

    def cost_usd(self, tokens: PaidTokens, when: dt.datetime | None = None) -> float | None:
        """What a request costs: by its own length, its cached tokens and its tier. None: that can't be said.

        when: it was sent; None: now.
        """
        context = {"service_tier": tokens.service_tier} if tokens.service_tier else None
        parts = {
            "input_tokens": tokens.input_tokens,
            "output_tokens": tokens.output_tokens,
            "cache_read_tokens": tokens.cache_read_tokens,
            "cache_write_tokens": tokens.cache_write_tokens,
        }
        return self._total(self._prices(when or _now(), context), {name: n for name, n in parts.items() if n})

    def worst_usd(self, input_tokens: int, output_tokens: int) -> float:
        """The most that so many tokens can cost within the next day: at the dearest tier and hour, and with the prompt
        written to the provider's cache.
        """
        prices = self._all_prices()
        rounded = -(-input_tokens // _STEP_TOKENS) * _STEP_TOKENS
        known = self._worst.get((rounded, output_tokens))
        if known is None:
            whole = {"input_tokens": rounded, "output_tokens": output_tokens}
            written = {**whole, "cache_write_tokens": rounded}
            found = [self._total(each, parts) for each in prices for parts in (whole, written)]
            known = self._worst[rounded, output_tokens] = max(each for each in found if each is not None)
        return known

    @property
    def is_whole(self) -> bool:
        """Whether both the prompt and the answer have a price."""
        prices = self._prices(_now(), None)
        return prices.input_mtok is not None and prices.output_mtok is not None

    def _prices(self, when: dt.datetime, context: dict[str, str] | None) -> Any:
        has_variants = any(self._model is each for each in self._provider.models)
        return self._model.get_prices(when, context if has_variants else None)

    def _all_prices(self) -> Sequence[Any]:
        """Those of each hour of a day, and of each tier that can be had without asking for it."""
        if _now() - self._looked < _LOOK_AGAIN:
            return self._dearest
        tiers = {
            each.when["service_tier"]
            for each in self._model.price_variants or ()
            if set(each.when) == {"service_tier"}
        }
        seen: list[Any] = []
        for context in (None, *({"service_tier": tier} for tier in sorted(tiers))):
            for hour in range(25):
                prices = self._prices(_now() + dt.timedelta(hours=hour), context)
                if prices not in seen:
                    seen.append(prices)
        self._dearest, self._looked = seen, _now()
        self._worst.clear()
        return seen

    def _total(self, prices: Any, parts: dict[str, int]) -> float | None:
        from genai_prices import Usage

        try:
            return float(prices.calc_price(Usage(**parts))["total_price"])
        except (ValueError, TypeError, ArithmeticError):  # counts that contradict each other
            return None


def price_of(provider: str, base_url: str, model: str) -> Price | None:
    """The price of a model. None: it has none, isn't listed, or the price lists aren't installed.

    provider: our name of it; where that only says how it is asked, the address says whose prices hold.
    """
    if provider in _FREE or not has_prices():
        return None
    from genai_prices.data_snapshot import get_snapshot

    lists = get_snapshot()
    if provider == _ROUTED:
        name, _, behind = model.rpartition(":")
        where: dict[str, Any] = {"provider_id": f"{_ROUTED}_{behind}", "provider_api_url": None}
        model = name or model
    elif provider in _BY_ADDRESS:
        where = {"provider_id": None, "provider_api_url": base_url}
    else:
        where = {"provider_id": _LISTED_AS.get(provider, provider), "provider_api_url": None}
    try:
        found = Price(*lists.find_provider_model(model, None, **where))
    except LookupError:
        return None
    return found if found.is_whole else None


def is_own_address(url: str) -> bool:
    """Whether it is on this machine, or in its own network: whoever answers there charges nothing."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host


def charges(provider: str, base_url: str) -> bool:
    """Whether answers have to be paid, as far as one can tell before they are."""
    return not is_own_address(base_url) if provider in _BY_ADDRESS else provider not in _FREE


def has_prices() -> bool:
    """Whether the price lists are installed."""
    import importlib.util

    try:
        return importlib.util.find_spec("genai_prices") is not None
    except ValueError:  # it is kept out on purpose
        return False


def require_price(provider: str, base_url: str, model: str) -> Price:
    """The same for a cap, which is held only with a price. Raises UsageError."""
    price = price_of(provider, base_url, model)
    if price is not None:
        return price
    if provider in _FREE or (provider in _BY_ADDRESS and is_own_address(base_url)):
        raise UsageError(
            "--max-cost needs a provider that charges: a server of your own has no price",
            hint="leave it out, or cap the tokens with --max-tokens-total",
            settings=("max_cost",),
        )
    if not has_prices():
        raise UsageError(
            "--max-cost needs the price lists, which are not installed",
            hint=install_command("providers"),
            settings=("max_cost",),
        )
    raise UsageError(
        f"--max-cost can't be held: the price of {model} at {provider or base_url} is not known",
        hint="cap the tokens with --max-tokens-total",
        settings=("max_cost",),
    )


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
