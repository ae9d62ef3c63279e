"""Find the servers on this machine, for `doctor`."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

import msgspec

from processes.short_program import answer_of

VERSION_TIMEOUT_S = 20.0


class Found(msgspec.Struct, frozen=True):
    """The result of looking for one thing. version, path: "" if unknown. note: what to do about it, or "".

    optional: nothing is wrong without it. more: sentences about it.
    """

    name: str
    ok: bool
    version: str = ""
    path: str = ""
    note: str = ""
    optional: bool = False
    more: tuple[str, ...] = ()


def servers_found() -> tuple[Found, ...]:
    """Look for llama.cpp's programs, llama.cpp in our own environment, and vLLM. Runs programs to get their version."""
    return (_llama_server(), _llama_perplexity(), _embedded(), _vllm())


def _llama_server() -> Found:
    from results.errors import UsageError
    from servers.llama_cpp import find_binary

    try:
        binary = find_binary(None)
    except UsageError as error:
        return Found("llama-server", ok=False, note=error.message)
    if binary is None:
        return Found(
            "llama-server",
            ok=False,
            note="for your GPU: put it on PATH, set LLAMA_SERVER, or use --server-binary",
            optional=bool(_distribution_version("xllamacpp")),
        )
    version = server_version(str(binary), "llama.cpp")
    note = "" if version else "it can't be run: try it with --version"
    return Found("llama-server", bool(version), version, str(binary), note)


def _llama_perplexity() -> Found:
    from results.errors import UsageError
    from servers.perplexity.program import NAME, find_perplexity

    try:
        binary = find_perplexity(None, None)
    except UsageError as error:
        return Found(NAME, ok=False, note=error.message)
    if binary is None:
        note = "for --benchmark kld without a server: beside llama-server, on PATH, or --perplexity-binary"
        return Found(NAME, ok=False, note=note, optional=True)
    version = version_of(str(binary))
    note = "" if version else "it can't be run: try it with --version"
    return Found(NAME, bool(version), version, str(binary), note, optional=True)


def _embedded() -> Found:
    version = _distribution_version("xllamacpp")
    note = "used if there is no llama-server" if version else "pip install xllamacpp"
    return Found("llama.cpp in Python (xllamacpp)", bool(version), version, note=note)


def _vllm() -> Found:
    path = shutil.which("vllm")
    note = "" if path else "install it in its own environment, then --server-binary ENV/bin/vllm"
    version = ""
    if path:
        version = server_version(path, "vllm")
    return Found("vllm", path is not None, version, path or "", note, optional=True)


def server_version(program: str, kind: str) -> str:
    """What a server's program is called by its makers; "" if that can't be known. kind: see SERVER_KINDS."""
    if kind != "vllm":
        return version_of(program)
    # vLLM isn't run: it would import torch, which takes half a minute.
    for place in (Path(program).absolute(), Path(program).resolve()):
        with contextlib.suppress(OSError):
            for package in place.parent.parent.glob("lib/python3*/site-packages/vllm-*.dist-info"):
                return package.name.removesuffix(".dist-info").partition("-")[2]
    return ""


def version_of(program: str | None) -> str:
    """A program's answer to --version, shortened; "" if it can't be run."""
    if program is None:
        return ""
    try:
        answer = answer_of([program, "--version"], timeout_s=VERSION_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    if answer.returncode != 0:
        return ""
    lines = (answer.stdout + answer.stderr).decode("utf-8", "replace").strip().splitlines()
    named = next((line for line in lines if "version" in line.lower()), lines[0] if lines else "?")
    return re.sub(r"^\w*\s*version:?\s*", "", named).strip()


def _distribution_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # takes 9 ms of every start

    try:
        return version(name)
    except PackageNotFoundError:
        return ""
