"""vLLM's command line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.files import read_file
from servers.capacity.context_size import choose_ctx_size, require_room
from servers.llama_cpp import dashed, executable, given_twice, refuse
from servers.lora import vllm_options
from servers.plan import LaunchPlan
from servers.request import own_options
from servers.speculation.vllm_config import checked_config
from settings.secrets import read_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from servers.models import Model
    from servers.request import ServerRequest
    from settings.base_url import BaseUrl

DEFAULT_PARALLEL = (
    32  # continuous batching: far below vLLM's own 256, but well above where the speed flattens
)
KEYS = frozenset({"VLLM_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"})  # it fetches gated models
SHORT = {
    "-tp": "--tensor-parallel-size",
    "-pp": "--pipeline-parallel-size",
    "-dp": "--data-parallel-size",
}
OURS = {
    "--port": "use --port of bench_runner, before the --",
    "--host": "the server listens on 127.0.0.1 only",
    "--served-model-name": "bench_runner chooses the name, so no other server can be mistaken for this one",
    "--model": "use --model of bench_runner, before the --",
    "--api-key": "everybody can see a command line: set VLLM_API_KEY in the environment",
    "--uds": "bench_runner expects the server on a port",
    "--root-path": "bench_runner expects the server at the root path",
    "--ssl-keyfile": "the server listens on this machine only, without TLS",
    "--ssl-certfile": "the server listens on this machine only, without TLS",
}


def vllm_plan(request: ServerRequest, model: Model, *, base_url: BaseUrl, alias: str) -> LaunchPlan:
    """The plan for vLLM: `vllm serve`, or its module if server_binary is a Python. Raises UsageError."""
    if model.kind == "gguf":
        raise UsageError(
            f"vLLM serves Hugging Face folders and names here, not GGUF files: {model.path or model.name}",
            hint="use --server llama.cpp for a .gguf file",
            settings=("model",),
        )
    own = request.extra_args
    refuse([dashed(word) for word in own], OURS)
    _require_range(request)
    what = str(model.path.absolute()) if model.path else model.name
    settings: list[tuple[str, str, Any]] = [
        ("ctx_size", "--max-model-len", _ctx_size(request, model)),
        ("parallel", "--max-num-seqs", request.slots or DEFAULT_PARALLEL),
        *own_options(request),
    ]
    argv = [*_program(request.server_binary, what), "--host", base_url.host, "--port", str(base_url.port)]
    if request.lora and _has(own, "--lora-modules"):
        raise given_twice("lora")
    # The adapter is a model of its own there: it gets the name that is asked for, and the model without it another.
    argv += ["--served-model-name", f"{alias}-base" if request.lora else alias]
    argv += vllm_options(request.lora or (), alias)
    asked: dict[str, Any] = {}
    for name, option, value in settings:
        if _has(own, option):
            if request.options.get(name, getattr(request, name, None)) is not None:
                raise given_twice(name)
            theirs = _number(_value(own, option))
            if theirs is not None:
                asked[name] = theirs
        elif value is not None:
            text = checked_config(value) if name == "speculative_config" else str(value)
            argv += [option, text]
            asked[name] = value
    asked.setdefault("parallel", DEFAULT_PARALLEL)
    if isinstance(asked.get("ctx_size"), int):
        require_room(request, asked["ctx_size"], "--max-model-len")
    return LaunchPlan(
        kind="vllm",
        argv=(*argv, *own),
        env={"VLLM_NO_USAGE_STATS": "1"},
        base_url=base_url,
        model_name=alias,
        api_key=read_key("VLLM_API_KEY"),
        own_keys=KEYS,
        asked=asked,
    )


def card_count(request: ServerRequest, asked: Mapping[str, Any]) -> int:
    """How many cards it spans with these settings; one by default."""
    count = asked.get("tensor_parallel_size", 1)
    for option in ("--pipeline-parallel-size", "--data-parallel-size"):
        if _has(request.extra_args, option):
            count *= _number(_value(request.extra_args, option)) or 1
    return max(1, int(count))


def _program(asked: str | None, what: str) -> tuple[str, ...]:
    if asked:
        path = executable(asked, "--server-binary")
        if re.match(r"python[\d.]*$", path.name):
            return (str(path), "-m", "vllm.entrypoints.openai.api_server", "--model", what)
        return (str(path), "serve", what)
    found = shutil.which("vllm")
    if found is None:
        raise UsageError(
            "no vllm on PATH",
            hint="install vLLM in its own environment, then use --server-binary ENV/bin/vllm (or its python)",
        )
    return (str(Path(found).absolute()), "serve", what)


def _ctx_size(request: ServerRequest, model: Model) -> int | None:
    """The context, at most the one in the folder's configuration, because vLLM refuses more; None if it is among the
    server's own options.
    """
    if _has(request.extra_args, "--max-model-len"):
        return request.ctx_size
    return choose_ctx_size(request, trained=trained_length(model.path))


def trained_length(folder: Path | None) -> int | None:
    """Tokens of context in training, from a Hugging Face folder's configuration; None if it doesn't say."""
    import json

    if folder is None:
        return None
    try:
        config = json.loads(read_file(folder / "config.json"))
    except (OSError, ValueError, RecursionError):
        return None  # vLLM reports better what is wrong with it
    if not isinstance(config, dict):
        return None
    inner = config.get("text_config")  # in multimodal models
    length = (inner if isinstance(inner, dict) else config).get("max_position_embeddings")
    return length if isinstance(length, int) and length > 0 else None


def _require_range(request: ServerRequest) -> None:
    if request.ctx_size is not None and request.ctx_size < 1:
        raise UsageError(
            f"--ctx-size {request.ctx_size}: must be at least 1", hint="such as 8192", settings=("ctx_size",)
        )


def _has(args: Sequence[str], option: str) -> bool:
    return any(_name(word) == option for word in args)


def _value(args: Sequence[str], option: str) -> str:
    found = ""
    for index, word in enumerate(args):
        _, equals, value = word.partition("=")
        if _name(word) == option:
            found = value if equals else "".join(args[index + 1 : index + 2])
    return found


def _name(word: str) -> str:
    """The option's long name."""
    name = dashed(word).partition("=")[0]
    return SHORT.get(name, name)


def _number(text: str) -> float | int | None:
    """The number; None for other texts, because vLLM also accepts 16k and auto."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
