"""How a run of kld measures: by the running server, or by llama-perplexity in its place."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import BenchError, UsageError
from results.files import open_to_read, user_path
from runner.script import ROOT
from servers.models import resolve
from servers.perplexity.program import NAME, find_perplexity
from servers.request import PerplexityRequest
from settings.benchmark_settings import KLD_CACHE_BYTES, KLD_LEAST_OF_PROGRAM, KLD_WINDOW

if TYPE_CHECKING:
    from servers.models import Model
    from settings.asked import Asked
    from settings.benchmarks import Benchmark

_DEFAULT_TEXT = ROOT / "evaluation" / "benchmarks" / "kld" / "text.txt"
_SERVED = "or measure what a server predicts: --kld-way served"


def perplexity_request(asked: Asked, benchmark: Benchmark, *, kind: str) -> PerplexityRequest | None:
    """The program that takes the server's place; None for other benchmarks, and where a server is to be measured.

    If the way is left open, it is llama-perplexity where that is there and the reference is a GGUF file. kind: of the
    server. Raises UsageError.
    """
    if benchmark.name != "kld" or asked["script"] is not None or asked["kld_way"] == "served":
        return None
    text: str | None = asked["kld_reference"]
    must = asked["kld_way"] == NAME or asked["perplexity_binary"] is not None
    if not must and (kind != "llama.cpp" or asked["kld_top"] or text is None or not names_model(text)):
        return None
    if kind != "llama.cpp":
        raise UsageError(
            f"{NAME} measures what llama.cpp predicts, not --server {kind}",
            hint="measure what the server predicts: --kld-way served",
            settings=("kld_way", "server"),
        )
    if asked["kld_top"]:
        raise UsageError(
            f"--kld-top does not apply to {NAME}, which compares the whole vocabulary",
            hint=f"leave it out, {_SERVED}",
            settings=("kld_top", "kld_way"),
        )
    if (window := int(asked["kld_window"] or KLD_WINDOW)) < KLD_LEAST_OF_PROGRAM:
        raise UsageError(
            f"--kld-window {window}: {NAME} takes windows of {KLD_LEAST_OF_PROGRAM} tokens or more",
            hint=f"give {KLD_LEAST_OF_PROGRAM} or more, {_SERVED}",
            settings=("kld_window", "kld_way"),
        )
    binary = find_perplexity(asked["perplexity_binary"], asked["server_binary"])
    if binary is None and must:
        raise UsageError(
            f"there is no {NAME}: neither beside llama-server nor on PATH",
            hint=f"build it with llama.cpp and give --perplexity-binary PATH; {_SERVED}",
            settings=("kld_way", "perplexity_binary"),
        )
    reference = _reference(text, must=must) if text is not None else None
    if binary is None or (reference is None and not must):
        return None
    return PerplexityRequest(
        binary=binary,
        reference=reference,
        window=window,
        limit=asked["limit"],
        text_bytes=_size(measured_text(asked)),
        cache_bytes=asked["kld_cache_size"] or KLD_CACHE_BYTES,
    )


def names_model(text: str) -> bool:
    """Whether it is surely a model, not a run."""
    if text == "demo" or text.startswith("hf:") or text.endswith(".gguf"):
        return True
    try:
        path = user_path(text)
        return path.is_file() or (path / "config.json").is_file()
    except (OSError, BenchError):
        return False


def measured_text(asked: Asked) -> Path:
    """The text's file."""
    own: str | None = asked["kld_text"]
    return Path(own) if own is not None else _DEFAULT_TEXT


def require_text(asked: Asked) -> None:
    """Raises UsageError for a text of one's own that is empty, or not UTF-8."""
    if (own := asked["kld_text"]) is None:
        return
    try:
        with open_to_read(Path(own)) as file:
            decoder = codecs.getincrementaldecoder("utf-8")()
            empty = True
            while part := file.read(1 << 20):
                empty = empty and not part.strip()
                decoder.decode(part)
            decoder.decode(b"", final=True)
    except OSError as error:
        raise UsageError(
            f"--kld-text {own}: {error.strerror or error}", hint="give a text file", settings=("kld_text",)
        ) from error
    except UnicodeDecodeError:
        raise UsageError(
            f"--kld-text {own} is not UTF-8", hint="convert it: iconv -t UTF-8", settings=("kld_text",)
        ) from None
    if empty:
        raise UsageError(f"--kld-text {own} is empty", hint="give a longer text", settings=("kld_text",))


def _reference(text: str, *, must: bool) -> Model | None:
    """The model to compare with; None if a server has to be asked for it."""
    if not names_model(text):
        raise UsageError(
            f"--kld-reference {text}: {NAME} needs the reference's model, not a run",
            hint=f"give its GGUF file, {_SERVED}",
            settings=("kld_reference", "kld_way"),
        )
    model = resolve(text)
    if model.kind == "gguf":
        return model
    if must:
        raise UsageError(
            f"--kld-reference {text}: {NAME} reads GGUF files",
            hint=f"give a .gguf file, {_SERVED}",
            settings=("kld_reference", "kld_way"),
        )
    return None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise UsageError(
            f"--kld-text {path}: {error.strerror}", hint="give a text file", settings=("kld_text",)
        ) from error
