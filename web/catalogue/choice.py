"""Who answers: a server that is launched here, one that runs already, or a provider; each by the operator's name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from servers.library.places import HUB, LLAMA_CPP, LM_STUDIO, OLLAMA
from settings.providers import LOCAL, provider_of
from settings.values import closest
from web.catalogue.models import DEMO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.providers import ProviderFacts
    from web.catalogue.models import ModelNames
    from web.config import ServeConfig

_AT_PROVIDER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:@+-]|/(?=[A-Za-z0-9]))*")
_KEPT = (
    HUB,
    OLLAMA,
    LM_STUDIO,
    LLAMA_CPP,
)  # how names of models begin that are fetched, or in a program's keeping


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Who answers. settings: what the operator set for it, which no request can change. loads: whether a model of the
    catalogue is loaded; otherwise the model is what the other side calls it.
    """

    what: str = LOCAL
    settings: Mapping[str, Any] = field(default_factory=dict)
    loads: bool = True

    @property
    def provider(self) -> str:
        """The row of the table of providers; "" for a server."""
        return str(self.settings.get("provider") or "")

    def model(self, name: str | None, models: ModelNames) -> str | None:
        """What a manifest calls the model of that name. None: the one that the operator set, or that the server says.

        Raises UsageError.
        """
        if "model" in self.settings:
            if name not in {None, self.settings["model"]}:
                raise UsageError(
                    f"{self.what} has the model {self.settings['model']} only", hint="leave model out"
                )
            return None
        if self.loads:
            found = models.find(name or DEMO)
            return str(found.path) if found.path is not None else found.name
        if name is None and self.provider:
            raise UsageError(f"{self.what} needs a model", hint="say what the provider calls it")
        if name is not None and name.startswith(_KEPT):
            raise UsageError(
                f"{name!r} is a model kept on this machine, not at {self.what}",
                hint="say what the other side calls it",
            )
        if name is not None and (".." in name or not _AT_PROVIDER.fullmatch(name)):
            raise UsageError(
                f"{name!r} is not the name of a model at {self.what}",
                hint="give letters, digits and . _ : @ + - with single slashes between",
            )
        return name


def choose(config: ServeConfig, *, provider: str = LOCAL, server: str | None = None) -> Choice:
    """Raises UsageError for a name that the operator doesn't offer."""
    if provider != LOCAL:
        if server is not None:
            raise UsageError("a provider has servers of its own", hint="leave server out, or provider")
        return _provider(config, provider)
    if server is None:
        return Choice()
    if server not in config.servers:
        raise _not_offered("server", server, config.servers)
    settings = config.servers[server]
    return Choice(
        what=f"server {server}",
        settings=settings,
        loads=not (settings.get("base_url") or settings.get("provider")),
    )


def offered_providers(config: ServeConfig) -> list[str]:
    """The names that a request may give, `local` first; without those whose key is nowhere."""
    return [LOCAL, *(name for name in config.providers if _has_key(config, name))]


def _has_key(config: ServeConfig, name: str) -> bool:
    try:
        choose(config, provider=name)
    except UsageError:
        return False
    return True


def _provider(config: ServeConfig, name: str) -> Choice:
    if name not in config.providers:
        raise _not_offered("provider", name, (LOCAL, *config.providers))
    settings = {"provider": name, **config.providers[name]}
    facts = provider_of(str(settings["provider"]))
    if facts.needs_key and not settings.get("api_key_file") and not _key_is_set(facts):
        raise UsageError(
            f"no API key is configured for {name}",
            hint=f"the operator sets {facts.key_variables[0]} or an api_key_file",
        )
    return Choice(what=f"provider {name}", settings={**settings, "provider": facts.name}, loads=False)


def _key_is_set(facts: ProviderFacts) -> bool:
    return any(os.environ.get(variable) for variable in facts.key_variables)


def _not_offered(what: str, name: str, offered: Mapping[str, Any] | tuple[str, ...]) -> UsageError:
    known = ", ".join(offered) if offered else "none"
    return UsageError(f"there is no {what} {name!r}{closest(name, offered)}", hint=f"offered are: {known}")
