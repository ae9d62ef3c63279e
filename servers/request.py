"""Which server is wanted and how, before anything is known of ports and command lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from results.errors import UsageError
from settings.table import SERVER_KINDS

if TYPE_CHECKING:
    from servers.models import Model


# Which fields of the request mean something for which kind of server, and what the user calls them.
FIELDS: dict[str, tuple[str, frozenset[str]]] = {
    "server_binary": ("--server-binary", frozenset({"llama.cpp", "vllm"})),
    "base_url": ("--base-url", frozenset({"attach"})),
    "model_name": ("--model, as a name", frozenset({"attach"})),
    "command": ("--server-command", frozenset({"command"})),
    "gpu_layers": ("--gpu-layers", frozenset({"llama.cpp"})),
    "ctx_size": ("--ctx-size", frozenset({"llama.cpp", "vllm"})),
    "port": ("--port", frozenset({"llama.cpp", "vllm", "command"})),
    "gpu_memory_utilization": ("--gpu-memory-utilization", frozenset({"vllm"})),
    "tensor_parallel_size": ("--tensor-parallel-size", frozenset({"vllm"})),
}
INSTEAD = {
    ("gpu_layers", "vllm"): "vLLM keeps the whole model on the GPU; leave --gpu-layers out",
    ("ctx_size", "attach"): "whoever runs the server sets its context",
    ("ctx_size", "command"): "write it into the command, as that server wants it",
    ("gpu_layers", "command"): "write it into the command, as that server wants it",
    ("port", "attach"): "the port is part of --base-url",
}


@dataclass(frozen=True, kw_only=True)
class ServerRequest:
    """Which server is wanted and how; None: not said, a default is chosen.

    server_binary: llama-server, vllm or the Python that has vLLM. base_url, model_name: of a server that
    already runs (attach). command: a template, see `other_servers.command_plan`. health_path: of command and
    attach. ctx_size: tokens a slot. parallel: slots. extra_args: handed to the server as they are.
    gpu_memory_bytes: of the largest GPU, by which the slots of llama.cpp are chosen; None: there is none.
    """

    kind: Literal["llama.cpp", "vllm", "command", "attach"] = "llama.cpp"
    model: Model | None = None
    server_binary: str | None = None
    base_url: str | None = None
    model_name: str | None = None
    command: str | None = None
    health_path: str = "/health"
    gpu_layers: int | None = None
    ctx_size: int | None = None
    parallel: int | None = None
    port: int | None = None
    extra_args: tuple[str, ...] = ()
    gpu_memory_utilization: float | None = None
    tensor_parallel_size: int | None = None
    gpu_memory_bytes: int | None = None


def require_known(request: ServerRequest) -> None:
    """Raise UsageError for a setting that means nothing to that kind of server."""
    if request.kind not in SERVER_KINDS:
        raise UsageError(
            f"unknown kind of server: {request.kind!r}", hint=f"one of {', '.join(SERVER_KINDS)}"
        )
    for field, (option, kinds) in FIELDS.items():
        if getattr(request, field) is not None and request.kind not in kinds:
            raise UsageError(
                f"{option} means nothing to --server {request.kind}",
                hint=INSTEAD.get(
                    (field, request.kind), f"it belongs to --server {' or '.join(sorted(kinds))}"
                ),
            )
    if request.parallel is not None and request.parallel < 1:
        raise UsageError(f"--parallel {request.parallel}: a server has at least 1 slot")
    if request.health_path and not request.health_path.startswith("/"):
        raise UsageError(
            f"--health-path {request.health_path!r} does not begin with /", hint="such as /health"
        )
