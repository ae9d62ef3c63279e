"""What to launch and how to recognise it: the contract between the builders of plans and the supervisor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from settings.secrets import secrets_of, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.records import ModelIdentity
    from settings.base_url import BaseUrl


KIND_WITHOUT_SERVER = "llama-perplexity"
PROVIDER = "provider"


class LaunchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One server, ready to be launched; or the program that the script runs in its place.

    kind: "llama.cpp", "embedded", "vllm", "command" or "attach"; "llama-perplexity" and "provider" without a server.
    argv: the exact command line; () for attach and without a server. tool: without a server, what the script runs, as
    far as the settings say it; script_words: what tells it so. left_out: options of the server that this program
    doesn't have. disk_bytes: about what is written into the cache, unless it is there.
    env: variables added to the harness's own environment. own_keys: variables with keys that the server may see; all
    other keys are removed from its environment. base_url: where it listens and receives requests. health_path: answers
    200 once the server is ready; "" if there is none. model_name: must be among the names in /v1/models; None means not
    checked. api_key: sent as a bearer token. asked: the requested settings, to be compared with the effective ones.
    model: the served model, without its hash; None for attach. draft: the draft model on this machine, with its hash.
    """

    kind: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    base_url: BaseUrl
    health_path: str = "/health"
    model_name: str | None = None
    api_key: str | None = None
    own_keys: frozenset[str] = frozenset()
    asked: dict[str, Any] = msgspec.field(default_factory=dict)
    model: ModelIdentity | None = None
    draft: ModelIdentity | None = None
    tool: tuple[str, ...] = ()
    script_words: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    disk_bytes: int | None = None

    @property
    def has_server(self) -> bool:
        return self.kind not in {KIND_WITHOUT_SERVER, PROVIDER}

    @property
    def is_provider(self) -> bool:
        """Whether somebody's API answers, of whose processes and metrics nothing can be known."""
        return self.kind == PROVIDER

    @property
    def asked_at(self) -> BaseUrl | None:
        """Where requests are sent; None if the script runs a program instead."""
        return None if self.kind == KIND_WITHOUT_SERVER else self.base_url

    @property
    def shown(self) -> tuple[str, ...]:
        """The command line as records and people see it."""
        return without_secrets(self.argv or self.tool)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be in no log: the key, and whatever `shown` hides."""
        return (*secrets_of(self.argv), *([self.api_key] if self.api_key else []))
