"""How a model is reached and asked: the checked settings of a connection."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evaluation.models.sampling import SETTINGS, Sampling
from results.errors import UsageError
from settings.base_url import parse_base_url
from settings.secrets import read_key

if TYPE_CHECKING:
    from collections.abc import Mapping

PROVIDERS = ("openai",)  # any OpenAI-compatible server: llama-server, vLLM, Ollama, OpenAI
DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"


@dataclass(frozen=True, kw_only=True)
class ConnectionInfo:
    """Where a model is served and how it is asked.

    base_url: without a trailing `/v1`. timeout: seconds a request may take. max_retries: tries after the
    first, on connection errors and 5xx. rate_limit_patience: seconds for which one request may be refused for a rate
    limit. use_guided_json: let the server hold answers to a task's JSON
    schema. The key never appears in a repr.
    """

    provider: str
    base_url: str
    model: str = ""
    api_key: str = field(default="", repr=False)
    timeout: float = 600.0
    max_retries: int = 4
    rate_limit_patience: float = 600.0
    use_guided_json: bool = False
    sampling: Sampling = field(default_factory=Sampling)

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
    use_guided_json, and
    those of `Sampling`, such as temperature and max_tokens. What is left out has its default. Raises UsageError naming
    the setting.
    """
    if provider_type not in PROVIDERS:
        raise UsageError(f"unknown provider {provider_type!r}", hint="known are " + ", ".join(PROVIDERS))
    known = {
        "base_url",
        "model",
        "api_key",
        "api_key_env",
        "timeout",
        "max_retries",
        "rate_limit_patience",
        "use_guided_json",
        *SETTINGS,
    }
    if unknown := sorted(set(provider_config) - known):
        raise UsageError(
            f"unknown setting {unknown[0]!r} of a connection", hint="known are " + ", ".join(sorted(known))
        )
    config = {
        key: value for key, value in provider_config.items() if value is not None and key != "api_key_env"
    }
    variable = provider_config.get("api_key_env")
    if variable and "api_key" not in config:
        config["api_key"] = read_key(variable) or ""
        if not config["api_key"] and variable != DEFAULT_KEY_VARIABLE:
            raise UsageError(
                f"the environment variable {variable} with the API key is not set",
                hint=f"export {variable}=KEY",
            )
    config["base_url"] = parse_base_url(str(config.get("base_url", ""))).url
    asked = {name: config.pop(name) for name in SETTINGS if name in config}
    sampling = Sampling(**asked, given={name: name for name in asked})
    info = ConnectionInfo(provider=provider_type, sampling=sampling, **config)
    _in_range("timeout", info.timeout, 0.001, 86_400)
    _in_range("max_retries", info.max_retries, 0, 100)
    _in_range("rate_limit_patience", info.rate_limit_patience, 0, 604_800)
    return info


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{name} is {value}, and must be between {low:g} and {high:g}")
