"""What answers without being started here: a server that runs, whose processes are measured, or a provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from processes.tree import descendants
from results.errors import UsageError
from servers.ports import port_holder
from settings.providers import named_by_model, provider_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from processes.process import ManagedProcess
    from settings.asked import Asked
    from settings.base_url import BaseUrl

_SERVERS = ("server", "server_command", "base_url")


class AttachedServer:
    """The process that listens at the URL on this machine, and its descendants."""

    def __init__(self, base_url: BaseUrl) -> None:
        self._port = base_url.port if base_url.is_local else None
        self._pid: int | None = None

    def tree(self) -> frozenset[int]:
        """Pids of its living processes; empty for a server on another machine or of another user."""
        if self._port is None:
            return frozenset()
        if self._pid is None or not Path(f"/proc/{self._pid}").exists():  # it may have been restarted
            holder = port_holder(self._port)
            self._pid = None if holder is None else holder.pid
        if self._pid is None:
            return frozenset()
        return frozenset({self._pid, *(member.pid for member in descendants(self._pid))})


class ProvidedServer:
    """Like `runner.serving.MeasuredServer`, of nothing. Also looks after it; see `runner.script.following.Watching`."""

    is_started = False

    def acquire(self, meanwhile: Callable[[], None]) -> None:
        """There is none."""

    def release(self, error: BaseException | None) -> None:
        """Nothing to stop."""

    def note_script(self, process: ManagedProcess) -> None:
        """Its processes are nobody's server."""

    def look(self, in_flight: int | None, meanwhile: Callable[[], None]) -> None:
        """Nothing can be done about a provider that is silent; the script gives up by itself."""

    def watched(self) -> Sequence[int]:
        return ()


def with_provider(asked: Asked) -> Asked:
    """The settings with the provider by its own name: as given, or named by the model (`openai/gpt-4o-mini`).

    A model that names one means that only where no kind of server is asked for: with `--server vllm` the same text is a
    name on the Hub. Raises UsageError.
    """
    name, model = asked["provider"], asked["model"]
    if name is None:
        found = named_by_model(model) if model and not any(asked[each] for each in _SERVERS) else None
        return asked if found is None else asked.but(provider=found.provider, model=found.model)
    facts = provider_of(name)
    if facts.is_local:
        return asked.but(provider=None)
    for other in ("server", "server_command"):
        if asked[other] not in {None, "provider"}:
            raise UsageError(
                f"--provider {name} and {asked.table[other].option} exclude each other",
                hint="a provider's server is not launched here",
                settings=(other,),
            )
    named = named_by_model(model) if model else None
    if named is not None and named.provider == facts.name and facts.name != "openrouter":
        model = named.model
    return asked.but(provider=facts.name, model=model)
