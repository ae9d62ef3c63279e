"""llama.cpp in this Python: `python -m servers.embedded -m FILE --port N`, with llama-server's option names.

For machines without llama-server: the `xllamacpp` wheel contains llama.cpp's HTTP server, so everything about
llama-server applies to it too.

Exit codes: 0 after SIGTERM or SIGINT, 1 if the server couldn't start, 2 for an unknown option.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

VERBOSITY = 4  # llama.cpp's "trace": logs offloaded layers and the KV cache, nothing per token
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")  # llama-server --help
SPEC_TYPES = (
    "draft-simple", "draft-eagle3", "draft-mtp", "draft-dflash", "draft-dspark", "ngram-simple", "ngram-map-k",
    "ngram-map-k4v", "ngram-mod", "ngram-cache",
)  # fmt: skip
MAX_PORT = 65535
LOG_S = 0.2  # llama.cpp logs in its own thread, which is late on a busy machine, and the log has the reason


class _Options(argparse.ArgumentParser):
    """Reports an error in one line, because only the log's last lines are shown."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (python -m servers.embedded --help lists the options)\n")


def options() -> argparse.ArgumentParser:
    """The supported options of llama-server, under all their names."""
    parser = _Options(
        prog="python -m servers.embedded",
        description="llama.cpp's server inside Python (xllamacpp), with llama-server's own option names.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-m", "--model", required=True, metavar="FILE", help="the GGUF file")
    add(
        "-a",
        "--alias",
        default="",
        metavar="NAME",
        help="the name in /v1/models; several are separated by commas",
    )
    add("--host", default="127.0.0.1", metavar="ADDRESS")
    add("--port", type=_port, default=8080)
    add(
        "-c",
        "--ctx-size",
        type=_count,
        default=0,
        metavar="TOKENS",
        help="context of all slots together; 0: the model's own",
    )
    add("-np", "--parallel", type=_positive, default=1, metavar="N", help="slots")
    add("-ngl", "--gpu-layers", "--n-gpu-layers", type=_layers, default=None, metavar="N")
    add("-t", "--threads", type=_number, default=-1, metavar="N")
    add("-tb", "--threads-batch", type=_number, default=-1, metavar="N")
    add("-b", "--batch-size", type=_positive, default=2048, metavar="N")
    add("-ub", "--ubatch-size", type=_positive, default=512, metavar="N")
    add("-fa", "--flash-attn", choices=("on", "off", "auto"), default="auto")
    add("-fit", "--fit", choices=("on", "off"), default="on")
    add("-ctk", "--cache-type-k", choices=CACHE_TYPES, default="f16")
    add("-ctv", "--cache-type-v", choices=CACHE_TYPES, default="f16")
    add(
        "-cram",
        "--cache-ram",
        type=_number,
        default=8192,
        metavar="MIB",
        help="earlier prompts in host memory",
    )
    add("-lv", "--verbosity", "--log-verbosity", type=_number, default=VERBOSITY, metavar="N")
    add("--threads-http", type=_number, default=-1, metavar="N")
    add("--lora", action="append", default=[], metavar="FILE", help="a LoRA adapter; may be repeated")
    add("--lora-scaled", action="append", default=[], metavar="FILE:SCALE")
    add("-md", "--model-draft", "--spec-draft-model", default="", metavar="FILE", help="proposes tokens")
    add("--spec-type", type=_types, default=(), metavar="TYPE,...", help=f"of {', '.join(SPEC_TYPES)}")
    add("--spec-draft-n-max", type=_positive, default=None, metavar="N")
    add("--spec-draft-n-min", type=_count, default=None, metavar="N")
    add("--spec-draft-p-min", "--draft-p-min", type=float, default=None, metavar="P")
    add("-ngld", "--gpu-layers-draft", "--n-gpu-layers-draft", type=_layers, default=None, metavar="N")
    add("--api-key", default="", metavar="KEY", help="better set in the environment: LLAMA_API_KEY")
    add("--chat-template", default="", metavar="JINJA")
    add("--chat-template-file", type=Path, default=None, metavar="FILE")
    for name, default in (
        ("jinja", True),
        ("metrics", False),
        ("slots", True),
        ("warmup", True),
        ("kv-unified", False),
        ("cache-prompt", True),
        ("cont-batching", True),
    ):
        add(f"--{name}", action=argparse.BooleanOptionalAction, default=default)
    return parser


def parameters(asked: argparse.Namespace) -> Any:
    """The options as llama.cpp's own structure. Raises OSError if the template's file can't be read."""
    import xllamacpp

    made = xllamacpp.CommonParams()
    made.model.path = _in_unicode(asked.model)
    made.model_alias = {name.strip() for name in asked.alias.split(",") if name.strip()}
    made.hostnames = [asked.host]
    made.port = asked.port
    made.n_ctx = asked.ctx_size
    made.n_parallel = asked.parallel
    if asked.gpu_layers is not None:
        made.n_gpu_layers = asked.gpu_layers
    if asked.threads > 0:
        made.cpuparams.n_threads = asked.threads
        made.cpuparams_batch.n_threads = asked.threads
    if asked.threads_batch > 0:
        made.cpuparams_batch.n_threads = asked.threads_batch
    made.n_batch = asked.batch_size
    made.n_ubatch = asked.ubatch_size
    flash = xllamacpp.llama_flash_attn_type
    made.flash_attn_type = {
        "on": flash.LLAMA_FLASH_ATTN_TYPE_ENABLED,
        "off": flash.LLAMA_FLASH_ATTN_TYPE_DISABLED,
        "auto": flash.LLAMA_FLASH_ATTN_TYPE_AUTO,
    }[asked.flash_attn]
    made.fit_params = asked.fit == "on"
    made.cache_type_k = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{asked.cache_type_k.upper()}")
    made.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{asked.cache_type_v.upper()}")
    made.cache_ram_mib = asked.cache_ram
    made.verbosity = asked.verbosity
    made.n_threads_http = asked.threads_http
    made.lora_adapters = [
        xllamacpp.CommonAdapterLoraInfo(_in_unicode(path), scale) for path, scale in _adapters(asked)
    ]
    _speculate(made.speculative, asked)
    keys = asked.api_key or os.environ.get("LLAMA_API_KEY", "")
    made.api_keys = [key.strip() for key in keys.split(",") if key.strip()]
    if asked.chat_template_file is not None:
        made.chat_template = asked.chat_template_file.read_text(encoding="utf-8")
    elif asked.chat_template:
        made.chat_template = asked.chat_template
    made.use_jinja = asked.jinja
    made.endpoint_metrics = asked.metrics
    made.endpoint_slots = asked.slots
    made.warmup = asked.warmup
    made.kv_unified = asked.kv_unified
    made.cache_prompt = asked.cache_prompt
    made.cont_batching = asked.cont_batching
    made.ui = False
    return made


def _speculate(made: Any, asked: argparse.Namespace) -> None:
    import xllamacpp

    kinds = xllamacpp.common_speculative_type
    if asked.spec_type:
        made.types = [
            getattr(kinds, f"COMMON_SPECULATIVE_TYPE_{name.replace('-', '_').upper()}")
            for name in asked.spec_type
        ]
    if asked.model_draft:
        made.draft.mparams.path = _in_unicode(asked.model_draft)
    for name, value in (
        ("n_max", asked.spec_draft_n_max),
        ("n_min", asked.spec_draft_n_min),
        ("p_min", asked.spec_draft_p_min),
        ("n_gpu_layers", asked.gpu_layers_draft),
    ):
        if value is not None:
            setattr(made.draft, name, value)


def _adapters(asked: argparse.Namespace) -> list[tuple[str, float]]:
    scaled = [text.rpartition(":") for text in asked.lora_scaled]
    return [(path, 1.0) for path in asked.lora] + [(path, float(scale)) for path, _, scale in scaled]


def main(argv: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code."""
    asked = options().parse_args([_dashed(word) for word in (sys.argv[1:] if argv is None else argv)])
    why = _cannot_start(asked)
    if why:
        return _failed(why)
    # While the model loads, these signals end the process at once; Python's SIGINT handler would wait for llama.cpp to
    # return.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        import xllamacpp

        if asked.gpu_layers and not _has_gpu(xllamacpp.get_device_info()):
            # llama-server's own words, which readers of the log look for.
            print(
                "warning: no usable GPU found, --gpu-layers option will be ignored",
                file=sys.stderr,
                flush=True,
            )
        server = xllamacpp.Server(parameters(asked))
    except (ImportError, OSError, RuntimeError) as error:
        time.sleep(LOG_S)
        return _failed(f"the server could not start: {error}")
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, _end)
    while server:
        signal.pause()
    return 0


def _end(_signal: int, _frame: object) -> None:
    """Exit without running destructors, which would wait for answers that are still being generated."""
    os._exit(0)


def _failed(why: str) -> int:
    print(f"error: {why}", file=sys.stderr, flush=True)
    return 1


def _in_unicode(path: str) -> str:
    """A path that the binding accepts: the file's own if it is Unicode, otherwise one through an open descriptor."""
    folder, name = os.path.split(path)
    if _is_unicode(path):
        return path
    if _is_unicode(
        name
    ):  # the name matters: of a model in several files, llama.cpp looks for the others beside it
        return f"/proc/self/fd/{os.open(folder, os.O_PATH)}/{name}"
    return f"/proc/self/fd/{os.open(path, os.O_RDONLY)}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _has_gpu(devices: list[dict[str, Any]]) -> bool:
    return any("GPU" in str(device.get("type")) for device in devices)


def _cannot_start(asked: argparse.Namespace) -> str:
    """Why it can't start, in cases that llama.cpp itself reports badly; "" if no reason is known."""
    if not Path(asked.model).is_file():
        return f"failed to open GGUF file '{asked.model}' (no such file)"
    if asked.model_draft and not Path(asked.model_draft).is_file():
        return f"failed to open GGUF file '{asked.model_draft}' (no such file)"
    template = asked.chat_template_file
    if template is not None and not template.is_file():
        return f"failed to open chat template file '{template}' (no such file)"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            asked.host, asked.port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return (
            f"couldn't bind HTTP server socket, hostname: {asked.host}, port: {asked.port} ({error.strerror})"
        )
    return ""


def _dashed(word: str) -> str:
    """llama-server also takes --ctx_size for --ctx-size."""
    return word.replace("_", "-") if re.fullmatch(r"--\w[\w-]*", word) else word


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _count(text: str) -> int:
    number = _number(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def _positive(text: str) -> int:
    number = _number(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _port(text: str) -> int:
    number = _number(text)
    if not 0 <= number <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"must be 0 to {MAX_PORT}")
    return number


def _types(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = next((name for name in names if name not in SPEC_TYPES), None)
    if unknown is not None:
        raise argparse.ArgumentTypeError(f"{unknown!r} is not one of {', '.join(SPEC_TYPES)}")
    return names


def _layers(text: str) -> int:
    """llama-server also takes "auto" and "all" (-1 and -2 in llama.cpp's structure)."""
    return {"auto": -1, "all": -2}.get(text) or _number(text)


if __name__ == "__main__":
    sys.exit(main())
