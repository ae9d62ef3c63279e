"""How a model is reached and asked: the checked settings of a connection."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - a dataclass field
from dataclasses import dataclass, field
from typing import Any

from evaluation.models.sampling import SETTINGS, Sampling
from results.errors import UsageError
from settings.base_url import parse_api_url, parse_base_url
from settings.providers import ProviderFacts, provider_of
from settings.secrets import read_key, require_no_secret

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_OUR_FIELDS = {
    "model", "messages", "prompt", "system", "stream", "tools", "n", "stop", "stop_sequences", "response_format",
    "logprobs", "top_logprobs",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ConnectionInfo:
    """Where a model is served and how it is asked.

    base_url: of the server; its API lies at api_path below it, mostly /v1. timeout: seconds a request may take.
    max_retries: tries after the first, on connection errors and 5xx. rate_limit_patience: seconds for which one request
    may be refused for a rate limit. use_guided_json: let the server hold answers to a task's JSON schema.
    provider_params: go into every request as they are. The key never appears in a repr.
    """

    provider: str
    base_url: str
    api_path: str = "/v1"
    model: str = ""
    api_key: str = field(default="", repr=False)
    timeout: float = 600.0
    max_retries: int = 4
    rate_limit_patience: float = 600.0
    use_guided_json: bool = False
    provider_params: Mapping[str, Any] = field(default_factory=dict)
    sampling: Sampling = field(default_factory=Sampling)

    @property
    def facts(self) -> ProviderFacts:
        """The provider's row."""
        return provider_of(self.provider)

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, where a proxy would be in the way."""
        return parse_base_url(self.base_url).is_local

    @property
    def needs_certificates(self) -> bool:
        """Whether somebody on the way, the server or a proxy, may speak TLS."""
        return not self.is_loopback or self.base_url.startswith("https:")


def build_connection_info(provider_type: str, provider_config: Mapping[str, Any]) -> ConnectionInfo:
    """Check a provider's settings: base_url, model, api_key or api_key_env, timeout, max_retries, rate_limit_patience,
    use_guided_json, provider_params, and those of `Sampling`, such as temperature and max_tokens. What is left out has
    its default: the provider's own root, and the key in the variable that it is known to have. Raises UsageError naming
    the setting.
    """
    facts = provider_of(provider_type)
    known = {
        "base_url",
        "model",
        "api_key",
        "api_key_env",
        "timeout",
        "max_retries",
        "rate_limit_patience",
        "use_guided_json",
        "provider_params",
        *SETTINGS,
    }
    if unknown := sorted(set(provider_config) - known):
        raise UsageError(
            f"unknown setting {unknown[0]!r} of a connection", hint="known are " + ", ".join(sorted(known))
        )
    config = {
        key: value for key, value in provider_config.items() if value is not None and key != "api_key_env"
    }
    if "api_key" not in config:
        config["api_key"] = _key(facts, provider_config.get("api_key_env"))
    given = str(config.get("base_url") or facts.root)
    parsed = parse_base_url(given) if facts.is_local else parse_api_url(given)
    config["base_url"], config["api_path"] = parsed.url, parsed.api
    if ours := sorted(_OUR_FIELDS & set(config.get("provider_params") or ())):
        raise UsageError(
            f"--provider-params can't have {ours[0]!r}: each request has its own",
            hint="leave it out",
            settings=("provider_params",),
        )
    require_no_secret(config.get("provider_params"))
    asked = {name: config.pop(name) for name in SETTINGS if name in config}
    sampling = Sampling(**asked, given={name: name for name in asked})
    info = ConnectionInfo(provider=facts.name, sampling=sampling, **config)
    _in_range("timeout", info.timeout, 0.001, 86_400)
    _in_range("max_retries", info.max_retries, 0, 100)
    _in_range("rate_limit_patience", info.rate_limit_patience, 0, 604_800)
    return info


def _key(facts: ProviderFacts, variable: str | None) -> str:
    """The key in the variable, or in one of the provider's. Raises UsageError where none is set and one is needed."""
    if facts.is_local and variable is None:
        return ""
    variables = (variable,) if variable else facts.key_variables
    key = next(filter(None, map(read_key, variables)), "")
    needed = facts.needs_key or (variable is not None and variable != DEFAULT_KEY_VARIABLE)
    if not key and needed:
        raise UsageError(
            f"the environment variable {variables[0]} with the API key is not set",
            hint=f"export {variables[0]}=KEY",
        )
    return key


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{name} is {value}, and must be between {low:g} and {high:g}")
