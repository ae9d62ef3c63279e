"""What to launch and how to know it: the contract between those who describe a server and the supervisor."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - dataclass fields, read at run time by tools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from settings.secrets import secrets_of, without_secrets

if TYPE_CHECKING:
    from results.records import ModelIdentity
    from settings.base_url import BaseUrl


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """One server, ready to be launched.

    kind: "llama.cpp", "embedded", "vllm", "command" or "attach". argv: the exact command line; () for attach.
    env: variables added to the harness's own environment. own_keys: variables with keys that the server may see; all
    others are taken out of its environment. base_url: where it listens and is asked. health_path: answers 200 once
    the server can work; "" where it has none. model_name: must be among the names that /v1/models gives; None: not
    checked. api_key: sent as a bearer token. asked: the settings that were asked for, to be compared with those in
    force. model: what is served, without its hash; None for attach.
    """

    kind: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    base_url: BaseUrl
    health_path: str = "/health"
    model_name: str | None = None
    api_key: str | None = None
    own_keys: frozenset[str] = frozenset()
    asked: dict[str, Any] = field(default_factory=dict)
    model: ModelIdentity | None = None

    @property
    def shown(self) -> tuple[str, ...]:
        """The command line as records and people see it."""
        return without_secrets(self.argv)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be in no log: the key, and whatever `shown` hides."""
        return (*secrets_of(self.argv), *([self.api_key] if self.api_key else []))
