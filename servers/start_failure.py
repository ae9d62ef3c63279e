"""Explain why a server did not start, from how it ended, what it printed, and which process holds the port.

Pure functions. Most of llama.cpp's patterns come from the real server, those of vLLM and of GPUs only in part;
tests/servers/start_failures.txt gives the source of each.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from processes.process import Exit
    from servers.ports import PortHolder


class Explanation(msgspec.Struct, frozen=True):
    """message: what happened, in a sentence without a full stop. hint: one thing to try, or "".

    out_of_memory: "device" or "host" if using less memory there would help, otherwise "".
    """

    message: str
    hint: str = ""
    out_of_memory: str = ""


class Cause(msgspec.Struct, frozen=True):
    """A known cause: what to say if the log matches the pattern. {0} in `what` is the pattern's group."""

    pattern: str
    what: str
    hint: str
    out_of_memory: str = ""

    def found_in(self, log: str) -> re.Match[str] | None:
        """Where the log says so, if it does. Compiled only here: most servers start."""
        return re.search(self.pattern, log, re.IGNORECASE | re.MULTILINE)


def _cause(pattern: str, what: str, hint: str, *, out_of_memory: str = "") -> Cause:
    return Cause(pattern, what, hint, out_of_memory)


_SMALLER = "lower --gpu-layers, --ctx-size or --parallel, or use a smaller quantisation"

# The first match wins, so specific causes come before general ones whose words they also print. A traceback also shows
# the source line of a message, with its {placeholders}.
CAUSES = (
    _cause(
        r"error while loading shared libraries: (\S+):",
        "the shared library {0} is missing",
        "install it, or put its folder into LD_LIBRARY_PATH; `ldd` on the binary lists what is missing",
    ),
    _cause(
        r"version [`'](\S+)' not found \(required by",
        "it needs a newer system library ({0})",
        "use a build for this distribution, or compile the server here",
    ),
    _cause(
        r"CUDA driver version is insufficient|NVIDIA driver on your system is too old",
        "the GPU driver is older than its CUDA version needs",
        "update the driver, or use a build for an older CUDA",
    ),
    _cause(
        r"no kernel image is available",
        "it was built for another generation of GPU",
        "compile it for this GPU (CMAKE_CUDA_ARCHITECTURES), or use another build",
    ),
    _cause(
        r"(?:(?:invalid|unknown) argument|unrecognized arguments?|unknown option|no such option): *(\S+)",
        "it does not know the option {0}",
        "see the server's own --help; options after `--` are passed to it unchanged",
    ),
    _cause(
        r"error while handling argument \"?([^\"\s:]+)",
        "it rejects the value of {0}",
        "see the server's own --help",
    ),
    _cause(
        r"Free memory on device.*less than desired GPU memory utilization",
        "other processes hold too much of the GPU's memory",
        "end them (see nvidia-smi), or lower --gpu-memory-utilization",
    ),
    _cause(
        r"No available memory for the cache blocks|KV cache is needed, which is larger than"
        r"|larger than the maximum number of tokens that can be stored in KV cache",
        "the GPU's memory has no room for the context",
        "lower --max-model-len, or raise --gpu-memory-utilization",
        out_of_memory="device",
    ),
    _cause(
        r"cudaMalloc failed|(?:CUDA|HIP)(?: error)?:? out of memory|torch\.(?:cuda\.)?OutOfMemoryError"
        r"|ErrorOutOfDeviceMemory|CUBLAS_STATUS_ALLOC_FAILED|allocate (?:CUDA|ROCm|Vulkan|SYCL)\d+ buffer",
        "the GPU ran out of memory",
        _SMALLER + "; nvidia-smi shows who else uses the card",
        out_of_memory="device",
    ),
    _cause(
        r"insufficient memory \(attempted|std::bad_alloc|Cannot allocate memory"
        r"|DefaultCPUAllocator: .*allocate memory"
        r"|^.*MemoryError\b|failed to allocate (?:CPU )?buffer|unable to allocate CPU buffer",
        "this machine ran out of memory",
        _SMALLER + "; `free -h` shows what is left",
        out_of_memory="host",
    ),
    _cause(
        r"unknown model architecture: '?([^'\s]+)|Model architectures (\[.*?\]) are not supported"
        r"|does not recognize this architecture",
        "it does not know the model's architecture {0}",
        "the server is older than the model: update it",
    ),
    _cause(
        r"this GGUF file is version (\d+)|GGUFv1 is no longer supported",
        "it does not read this version of GGUF {0}",
        "update the server, or convert the model again",
    ),
    _cause(
        r"invalid magic characters",
        "the model file is not a GGUF file",
        "it may be an error page or a Git LFS pointer: look at its first bytes and its size",
    ),
    _cause(
        r"failed to open GGUF file '([^']*)'",
        "it cannot open the model file {0}",
        "check the path and the permissions",
    ),
    _cause(
        r"not within the file bounds|failed to read (?:magic|key-value pairs|header|tensor)"
        r"|unexpectedly reached"
        r"|SafetensorError|MetadataIncompleteBuffer|PytorchStreamReader failed|read error: (?:unexpected|end)"
        r"|model is corrupted or incomplete",
        "the model file is truncated or damaged",
        "download it again and compare its size and sha256 with the source",
    ),
    _cause(
        r"does not appear to have a file named ([^\s{]+)",
        "the model folder has no {0}",
        "vLLM needs a Hugging Face folder: config.json, a tokenizer and weights",
    ),
    _cause(
        r"config file at '([^'{]*)' is not a valid JSON file",
        "the model's configuration {0} is not valid JSON",
        "fetch the model's folder again",
    ),
    _cause(
        r"greater than the derived max_model_len \(max_position_embeddings=(\d+)",
        "the requested context is longer than the model's {0} tokens",
        "lower --ctx-size, which vLLM calls --max-model-len",
    ),
    _cause(
        r"ModuleNotFoundError: No module named '([^']+)'",
        "its Python has no module {0}",
        "install it there, or name another Python or binary with --server-binary",
    ),
    _cause(
        r"[Ff]ailed to load model|error loading model: (.+)$",
        "it cannot load the model",
        "the log says why; a newer server may read it",
    ),
)

_PORT_TAKEN = re.compile(
    r"couldn't bind (?:HTTP )?(?:server )?socket|Address already in use|Errno 98|bind\(\) failed",
    re.IGNORECASE,
)
_NO_SERVER = "check that this program is the server and takes these options: run the command by hand"
_PERMISSION = re.compile(r"Errno 13|Permission denied", re.IGNORECASE)


def explain(ended: Exit, log: str, port: int, holder: PortHolder | None) -> Explanation:
    """Explain to the user why a server ended before it was ready.

    log: what it printed in this start. holder: the process that listens on its port now, if any.
    """
    how = f"the server ended before it was ready ({ended.describe()})"
    if _PORT_TAKEN.search(log):
        if port < 1024 and holder is None and _PERMISSION.search(log):
            return Explanation(
                f"{how}: it is not allowed to listen on port {port}", "choose a port from 1024 up"
            )
        by = "" if holder is None else f" by {holder.describe()}"
        return Explanation(
            f"{how}: port {port} is in use{by}", "stop that process, or choose another port with --port"
        )
    for cause in CAUSES:
        match = cause.found_in(log)
        if match:
            detail = next((group for group in match.groups() if group), "")
            return Explanation(f"{how}: {cause.what.format(detail).strip()}", cause.hint, cause.out_of_memory)
    return _by_signal(ended, how) or Explanation(
        how, _NO_SERVER if log.strip() else f"it printed nothing; {_NO_SERVER}"
    )


def exhausted_memory(log: str) -> str:
    """Whether the log of a server that has ended reports that memory ran out: "device", "host", or ""."""
    found = (cause.out_of_memory for cause in CAUSES if cause.out_of_memory and cause.found_in(log))
    return next(found, "")


def _by_signal(ended: Exit, how: str) -> Explanation | None:
    # A shell wrapper turns its child's signal into exit code 128 + number.
    number = ended.signal or (ended.code - 128 if ended.code is not None and 128 < ended.code < 160 else None)
    if number == signal.SIGILL:
        return Explanation(
            f"{how}: the binary is built for another CPU (illegal instruction)",
            "use a build for this CPU, or compile it here; the embedded server runs without --server-binary",
        )
    if number == signal.SIGKILL:
        return Explanation(
            f"{how}: probably the kernel killed it because memory ran out",
            "`dmesg | grep -i oom` tells; " + _SMALLER,
            out_of_memory="host",
        )
    if number in {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE}:
        hint = "this is a bug in the server or a damaged model file: try another build, and check the file"
        return Explanation(how, hint)
    if number in {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
        return Explanation(f"{how}: it was terminated from outside")
    return None
