"""Turn a request into a launch plan, and report all visible errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from results.errors import UsageError
from servers import other_servers
from servers.ports import free_port, require_free_port
from servers.request import require_known
from settings.base_url import parse_base_url

if TYPE_CHECKING:
    from servers.plan import LaunchPlan
    from servers.request import ServerRequest

HOST = "127.0.0.1"  # never 0.0.0.0, so that nobody else uses the server while it is measured


def plan(request: ServerRequest, *, nonce: str) -> LaunchPlan:
    """The command line, environment, address and model of the requested server. Starts nothing.

    nonce: becomes part of the model's name at the server, so that no other server is mistaken for ours.
    Raises UsageError, and ServerError if kind is "attach" and nothing usable answers.
    """
    require_known(request)
    if request.kind == "provider":
        return other_servers.provider_plan(request)
    if request.kind == "attach":
        return other_servers.attach_plan(request)
    return _launch_plan(request, nonce)


def _launch_plan(request: ServerRequest, nonce: str) -> LaunchPlan:
    # What reads models' files and knows the servers' options takes 10 ms to load: a server that runs needs none of it.
    from servers import llama_cpp, vllm
    from servers.models import identity
    from servers.perplexity.plan import perplexity_plan
    from servers.speculation.draft_model import draft_identity

    if request.model is not None and request.perplexity is not None:
        made = perplexity_plan(request, request.model, request.perplexity)
        return replace(made, model=identity(request.model))
    if request.model is None:
        raise UsageError("no model given", hint="give one with --model", settings=("model",))
    if request.port is None:
        port = free_port(HOST)
    else:
        require_free_port(request.port, HOST)
        port = request.port
    # Commas separate names, a dash begins an option, and not every server returns all other characters.
    name = re.sub(r"[^\w.+/-]+", "_", request.model.name, flags=re.ASCII).lstrip("-") or "model"
    alias = f"{name}-{nonce}"
    base_url = parse_base_url(f"http://{HOST}:{port}")
    build = {"llama.cpp": llama_cpp.llama_plan, "vllm": vllm.vllm_plan, "command": other_servers.command_plan}
    made = build[request.kind](request, request.model, base_url=base_url, alias=alias)
    return replace(made, model=identity(request.model), draft=draft_identity(request))
