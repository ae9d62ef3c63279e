"""The command line of llama-server, or of the built-in llama.cpp if there is no llama-server."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processes.short_program import answer_of
from results.errors import UsageError
from results.files import user_path
from servers.capacity.context_size import choose_ctx_size, require_room
from servers.lora import llama_options
from servers.plan import LaunchPlan
from servers.request import own_options
from servers.speculation.draft_model import draft_of, spec_types
from servers.speculation.llama_options import ALIASES, spelt
from settings.secrets import read_key
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.models import Model
    from servers.request import ServerRequest
    from settings.base_url import BaseUrl

# By its path, and without its folder in sys.path (-P), so that it starts from any folder.
EMBEDDED = (sys.executable, "-P", str(Path(__file__).resolve().with_name("embedded.py")))
BUILT_HERE = Path("build") / "bin" / "llama-server"  # where llama.cpp's own cmake recipe puts it

MIN_CTX_SIZE = 256  # llama.cpp rounds the context up to a multiple of this
ALL_LAYERS = -1
ALL_AS_MANY = 999  # a number that all versions understand; -1 has meant "none" or "as many as fit"
CPU_PARALLEL = 4
GPU_PARALLEL = (16, 8)
GPU_SHARE = 0.8  # of its memory is for weights and KV cache; compute buffers and other programs need the rest
KV_BYTES = 2  # values of the KV cache are f16 unless --cache-type-k/-v say otherwise

CTX = ("-c", "--ctx-size")
PARALLEL = ("-np", "--parallel")
EMBEDDED_KEYS = frozenset({"LLAMA_API_KEY"})
KEYS = EMBEDDED_KEYS | {"HF_TOKEN"}  # llama-server may fetch a draft model
LAYERS = ("-ngl", "--gpu-layers", "--n-gpu-layers")
LORA = ("--lora", "--lora-scaled")
VERBOSITY = ("-lv", "--verbosity", "--log-verbosity", "-v", "--verbose", "--log-verbose")
# Before a prompt unlike the last, llama-server copies the last one's KV cache into host memory, up to 8 GiB: for chats
# that go on later. No benchmark's do; it costs each request as much time as the prompt itself.
PROMPT_CACHE = ("-cram", "--cache-ram", "--cache-idle-slots")
PROMPT_CACHE_VARIABLE = "LLAMA_ARG_CACHE_RAM"
# Whether it must be asked to log offloaded layers. Older builds log them anyway, and the option floods the log.
TELLS_MORE = "4: trace"
OURS = {
    "--port": "use --port of bench_runner, before the --",
    "--host": "the server listens on 127.0.0.1 only",
    "-a": "bench_runner chooses the model's name at the server, so no other server can be mistaken for this one",
    "--alias": "bench_runner chooses the model's name at the server, so no other server can be mistaken for this one",
    "-m": "use --model of bench_runner, before the --",
    "--model": "use --model of bench_runner, before the --",
    "-hf": "use --model hf:owner/name/file.gguf of bench_runner, before the --",
    "-hfr": "use --model hf:owner/name/file.gguf of bench_runner, before the --",
    "--hf-repo": "use --model hf:owner/name/file.gguf of bench_runner, before the --",
    "-mu": "use --model of bench_runner, before the --",
    "--model-url": "use --model of bench_runner, before the --",
    "-dr": "use --model of bench_runner, before the --",
    "--docker-repo": "use --model of bench_runner, before the --",
    "--api-key": "everybody can see a command line: set LLAMA_API_KEY in the environment",
    "--api-key-file": "set LLAMA_API_KEY in the environment",
    "--api-prefix": "bench_runner expects the server at the root path",
    "--ssl-key-file": "the server listens on this machine only, without TLS",
    "--ssl-cert-file": "the server listens on this machine only, without TLS",
    "--no-slots": "bench_runner watches progress there",
}


def llama_plan(request: ServerRequest, model: Model, *, base_url: BaseUrl, alias: str) -> LaunchPlan:
    """The plan for llama-server, or of kind "embedded" if there is none. Raises UsageError."""
    if model.kind != "gguf" or model.path is None:
        raise UsageError(
            f"llama.cpp serves GGUF files, not {model.path or model.name}",
            hint="give a .gguf file, or use --server vllm for a Hugging Face folder or name",
            settings=("model",),
        )
    own = request.extra_args
    words = [dashed(word) for word in own]
    refuse(words, OURS)
    _require_range(request)
    _require_once(request, words)
    binary = find_binary(request.server_binary)
    parallel = _own_count(words, PARALLEL)
    own_ctx = _own_count(words, CTX)
    trained = model.header.context_length if model.header else None
    ctx_size = (
        choose_ctx_size(request, trained=trained, least=MIN_CTX_SIZE, step=MIN_CTX_SIZE)
        if own_ctx is None
        else trained or MIN_CTX_SIZE
    )
    if parallel is None:
        parallel = request.slots or default_parallel(
            model,
            ctx_size,
            request.gpu_layers,
            embedded=binary is None,
            gpu_memory_bytes=request.gpu_memory_bytes,
        )
    argv: list[str] = ["-m", str(model.path.absolute())]
    argv += ["--host", base_url.host, "--port", str(base_url.port)]
    asked: dict[str, Any] = {}
    if own_ctx is None:
        argv += ["-c", str(ctx_size * parallel)]
    if not _has(words, PARALLEL):
        argv += ["-np", str(parallel)]
    if own_ctx != 0:  # 0 means the model's own length
        asked["ctx_size"] = ctx_size if own_ctx is None else own_ctx // max(parallel, 1)
        require_room(request, asked["ctx_size"], "--ctx-size")
    asked["parallel"] = parallel
    if _has(words, LAYERS):
        asked["gpu_layers"] = _layers(_value(words, LAYERS))
    elif request.gpu_layers is not None:
        argv += ["-ngl", str(_all_as_many(request.gpu_layers))]
        asked["gpu_layers"] = request.gpu_layers
    if request.lora:
        if _has(words, LORA):
            raise given_twice("lora")
        argv += llama_options(request.lora, model)
    help_text = None if binary is None else help_of(binary)
    own_given = [each for each in own_options(request) if each.value is not None]
    for name, option, value in own_given:
        if _has(words, ALIASES.get(option, (option,))):
            raise given_twice(name)
        asked[name] = value
    types = spec_types(request, draft_of(request))
    if types is not None:
        asked["spec_type"] = types
    for option, text in spelt(own_given, types, help_text):
        argv += [option, text]
    argv += ["--alias", alias, "--metrics", "--slots"]
    if help_text is not None and not _has(words, VERBOSITY) and TELLS_MORE in help_text:
        argv += ["-lv", "4"]
    if _knows_prompt_cache(words, help_text, embedded=binary is None):
        argv += ["--cache-ram", os.environ.get(PROMPT_CACHE_VARIABLE) or "0"]
    launcher = EMBEDDED if binary is None else (str(binary),)
    return LaunchPlan(
        kind="embedded" if binary is None else "llama.cpp",
        argv=(*launcher, *argv, *own),
        base_url=base_url,
        model_name=alias,
        api_key=read_key("LLAMA_API_KEY"),  # llama-server reads it itself
        own_keys=EMBEDDED_KEYS if binary is None else KEYS,
        asked=asked,
    )


def find_binary(asked: str | None) -> Path | None:
    """llama-server: the requested one, $LLAMA_SERVER, on PATH, or in ./build/bin. None if there is none.

    Raises UsageError if the requested one can't be executed.
    """
    for text, origin in ((asked, "--server-binary"), (os.environ.get("LLAMA_SERVER"), "$LLAMA_SERVER")):
        if text:
            return executable(text, origin)
    on_path = shutil.which("llama-server")
    if on_path:
        return Path(on_path).absolute()
    if BUILT_HERE.is_file() and os.access(BUILT_HERE, os.X_OK):
        return BUILT_HERE.absolute()
    return None


def executable(text: str, origin: str, *, setting: str = "server_binary") -> Path:
    """The program named by text, a path or a name on PATH. Raises UsageError, naming the origin."""
    about = (setting,)
    try:
        path = user_path(text)
    except UsageError as error:
        raise UsageError(f"{origin} {error.message}", hint=error.hint, settings=about) from error
    if os.sep not in text and not path.exists():
        path = Path(shutil.which(text) or path)
    if not path.exists():
        raise UsageError(
            f"{origin} {text}: no such program", hint="give the path of an executable file", settings=about
        )
    if not path.is_file():
        raise UsageError(
            f"{origin} {text} is not a file", hint="give the path of an executable file", settings=about
        )
    if not os.access(path, os.X_OK):
        raise UsageError(f"{origin} {text} is not executable", hint=f"chmod +x {path}", settings=about)
    return path.absolute()


def refuse(extra_args: Sequence[str], refused: dict[str, str]) -> None:
    """Raise UsageError for an option that only we may set."""
    for word in extra_args:
        name = word.partition("=")[0]
        if name in refused:
            raise UsageError(
                f"{name} can't be passed to the server", hint=refused[name], settings=("server_args",)
            )


def dashed(word: str) -> str:
    """The option with dashes; servers also accept --ctx_size for --ctx-size."""
    name, equals, value = word.partition("=")
    return (name.replace("_", "-") if name.startswith("--") else name) + equals + value


def default_parallel(
    model: Model, ctx_size: int, gpu_layers: int | None, *, embedded: bool, gpu_memory_bytes: int | None
) -> int:
    """The default number of slots.

    On a CPU it is 4: they keep the processor busy, and more only make each answer slower. On a GPU it is 16 or 8 if the
    weights and the KV cache of so many slots fit in the largest GPU.
    """
    if embedded or gpu_layers == 0:
        return CPU_PARALLEL
    memory = gpu_memory_bytes or 0
    cache = kv_bytes_per_token(model)
    for slots in GPU_PARALLEL:
        if cache is not None and _size(model) + slots * cache * ctx_size <= GPU_SHARE * memory:
            return slots
    return CPU_PARALLEL


def kv_bytes_per_token(model: Model) -> int | None:
    """Bytes of keys and values per token in all layers, for plain attention; None if the header doesn't say."""
    header = model.header
    if header is None or not (header.layer_count and header.embedding_length and header.head_count):
        return None
    heads = header.head_count if header.head_count_kv is None else header.head_count_kv
    return 2 * header.layer_count * heads * (header.embedding_length // header.head_count) * KV_BYTES


def _size(model: Model) -> int:
    return sum(file.stat().st_size for file in model.files())


def _require_range(request: ServerRequest) -> None:
    layers, ctx_size = request.gpu_layers, request.ctx_size
    if layers is not None and layers < ALL_LAYERS:
        raise UsageError(
            f"--gpu-layers {layers}: there are no negative layers",
            hint="0 for none, -1 for all",
            settings=("gpu_layers",),
        )
    if ctx_size is not None and ctx_size < MIN_CTX_SIZE:
        raise UsageError(
            f"--ctx-size {ctx_size}: llama.cpp gives a slot at least {MIN_CTX_SIZE} tokens",
            hint=f"give {MIN_CTX_SIZE} or more, such as 8192",
            settings=("ctx_size",),
        )


def _require_once(request: ServerRequest, words: Sequence[str]) -> None:
    """Raise UsageError for a setting given both before and after the --, where the values may differ."""
    for names, value, setting in (
        (CTX, request.ctx_size, "ctx_size"),
        (PARALLEL, request.parallel, "parallel"),
        (LAYERS, request.gpu_layers, "gpu_layers"),
    ):
        if value is not None and _has(words, names):
            raise given_twice(setting)


def given_twice(setting: str) -> UsageError:
    """The error for a setting that is also among the server's own options."""
    return UsageError(
        f"{TABLE[setting].option} is given twice, before and after the --",
        hint="remove the one after the --",
        settings=("server_args", setting),
    )


def _all_as_many(layers: int) -> int:
    return ALL_AS_MANY if layers == ALL_LAYERS else layers


def _has(args: Sequence[str], names: tuple[str, ...]) -> bool:
    return any(word.partition("=")[0] in names for word in args)


def _value(args: Sequence[str], names: tuple[str, ...]) -> str | None:
    """The value of the last of these options, or None."""
    found = None
    for index, word in enumerate(args):
        if word in names:
            if index + 1 == len(args):
                raise UsageError(
                    f"{word} has no value", hint=f"give it one: `-- {word} VALUE`, or leave it out"
                )
            found = args[index + 1]
    return found


def _own_count(args: Sequence[str], names: tuple[str, ...]) -> int | None:
    text = _value(args, names)
    try:
        number = None if text is None else int(text)
    except ValueError:
        raise UsageError(f"{names[-1]} {text}: not a number", hint="give a number") from None
    if number is not None and number < 0:
        raise UsageError(f"{names[-1]} {text}: must not be negative", hint="give a number")
    return number


def _layers(text: str | None) -> int | None:
    """The number of layers as in `ServerRequest`; None for "auto"."""
    if text == "all":
        return ALL_LAYERS
    try:
        return int(text or "")
    except ValueError:
        return None


def _knows_prompt_cache(words: Sequence[str], help_text: str | None, *, embedded: bool) -> bool:
    """Whether to say how large it is, so that the record has it: this build has one, and the user's words don't."""
    if _has(words, PROMPT_CACHE):
        return False
    return embedded or (help_text is not None and "--cache-ram" in help_text)


def help_of(binary: Path) -> str | None:
    """What its --help prints; None if it prints nothing."""
    try:
        status = binary.stat()
    except OSError:
        return None
    return _help_of(binary, (status.st_size, status.st_mtime_ns, status.st_ino))


@functools.lru_cache(maxsize=16)
def _help_of(binary: Path, _signature: tuple[int, int, int]) -> str | None:
    try:
        answer = answer_of([str(binary), "--help"], timeout_s=20)
    except (OSError, subprocess.TimeoutExpired):
        return None  # the launch itself will report why
    return answer.stdout.decode("utf-8", "replace") or None
