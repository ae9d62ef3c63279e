"""The requested server, before ports and command lines are known."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a dataclass field
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from results.errors import UsageError
from settings.server_settings import SERVER_KINDS
from settings.table import TABLE

if TYPE_CHECKING:
    from servers.lora import Adapter
    from servers.models import Model
    from settings.speed_lengths import LongestRequest

ServerKind = Literal["llama.cpp", "vllm", "command", "attach", "provider"]
# Fields of the request whose settings have other names.
_SETTING_OF = {"command": "server_command"}


class PerplexityRequest(msgspec.Struct, frozen=True, kw_only=True):
    """llama-perplexity, requested instead of a server. reference: the model to compare with. window: in tokens. limit:
    the most windows. text_bytes: of the text. cache_bytes: the most that all base logits may take.
    """

    binary: Path
    reference: Model | None
    window: int
    limit: int | None
    text_bytes: int
    cache_bytes: int


@dataclass(frozen=True, kw_only=True)
class ServerRequest:
    """The requested server. None means not given; a default is chosen.

    server_binary: llama-server, vllm or the Python that has vLLM. base_url, model_name: of a running server (attach),
    or of a provider. provider, provider_params: see the settings of these names. api_key_file: with the key for either.
    command: a template, see `other_servers.command_plan`. health_path: for command and attach. ctx_size: tokens per
    slot. parallel: slots. lora: adapters, by absolute paths. options: settings for which the server has its own option,
    by their names in the table. extra_args: passed to the server unchanged. gpu_memory_bytes: of the largest GPU, used
    to choose llama.cpp's slots; None without one. longest: the benchmark's longest request, if it is known; the context
    is chosen to hold it. perplexity: the run needs no server, but this program with the server's settings.
    """

    kind: ServerKind = "llama.cpp"
    model: Model | None = None
    server_binary: str | None = None
    base_url: str | None = None
    model_name: str | None = None
    provider: str | None = None
    provider_params: str | None = None
    api_key_file: Path | None = None
    command: str | None = None
    health_path: str = "/health"
    gpu_layers: int | None = None
    ctx_size: int | None = None
    parallel: int | None = None
    port: int | None = None
    lora: tuple[Adapter, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    extra_args: tuple[str, ...] = ()
    gpu_memory_bytes: int | None = None
    longest: LongestRequest | None = None
    perplexity: PerplexityRequest | None = None

    @property
    def is_running(self) -> bool:
        """Whether nothing is launched for it."""
        return self.kind in {"attach", "provider"}

    @property
    def names_draft(self) -> bool:
        """Whether there may be a draft model; see `servers.speculation.draft_model`."""
        return any(self.options.get(name) is not None for name in ("model_draft", "speculative_config"))

    @property
    def slots(self) -> int | None:
        """The number of slots asked for, or as many as the benchmark's requests need; None: any number."""
        return self.parallel or (self.longest.at_once if self.longest else None)


class OwnOption(NamedTuple):
    """A setting that is passed to the server as one of its own options."""

    setting: str
    option: str
    value: Any


def own_options(request: ServerRequest) -> list[OwnOption]:
    """The settings that this kind of server has as options, in the table's order; value: None if not given."""
    return [
        OwnOption(name, setting.server_option[request.kind], request.options.get(name))
        for name, setting in TABLE.items()
        if setting.server_option and request.kind in setting.server_option
    ]


def require_known(request: ServerRequest) -> None:
    """Raise UsageError for a setting that does not apply to this kind of server."""
    if request.kind not in SERVER_KINDS:
        raise UsageError(
            f"unknown kind of server: {request.kind!r}", hint=f"one of {', '.join(SERVER_KINDS)}"
        )
    if request.model_name is not None and not request.is_running:
        raise UsageError(
            f"a model's name alone is not enough for --server {request.kind}",
            hint="give a file or a folder, or --base-url with a server that has the model",
            settings=("model",),
        )
    given = {_SETTING_OF.get(name, name): value for name, value in vars(request).items()}
    for name, value in {**given, **request.options}.items():
        setting = TABLE.get(name)
        if setting is None or value is None or not setting.servers or request.kind in setting.servers:
            continue
        otherwise = f"it only works with --server {' or '.join(sorted(setting.servers))}"
        raise UsageError(
            f"{setting.option} does not apply to --server {request.kind}",
            hint=(setting.instead or {}).get(request.kind, otherwise),
            settings=(name,),
        )
    if request.parallel is not None and request.parallel < 1:
        raise UsageError(
            f"--parallel {request.parallel}: must be at least 1", hint="leave it out", settings=("parallel",)
        )
    if request.health_path and not request.health_path.startswith("/"):
        raise UsageError(
            f"--health-path {request.health_path!r} must begin with /",
            hint="such as /health",
            settings=("health_path",),
        )
