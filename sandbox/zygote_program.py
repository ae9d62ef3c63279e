"""The program that a sandbox starts with: the modules of `sandbox/inside`, of which nothing can be imported there."""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.util
import marshal
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSIDE = Path(__file__).parent / "inside"
# Each after those that it imports; the zygote's own is the main module.
_MODULES = (
    "child",
    "confinement",
    "values",
    "channel",
    "candidate",
    "assertions",
    "judge",
    "watch",
    "ending",
    "forks",
    "standing_judge",
    "zygote",
)
# Compiled code is only good for the same minor version of Python; to compile takes 20 ms, and leaves memory behind that
# each fork would have to map.
_LOAD = """
import marshal, sys, types
with open(int(sys.argv.pop(1)), "rb") as file:
    sources, magic, codes = marshal.load(file)
if magic == sys.modules["_frozen_importlib_external"].MAGIC_NUMBER:
    codes = marshal.loads(codes)
else:
    codes = [compile(text, name, "exec", dont_inherit=True) for name, text in sources]
for (name, _), code in zip(sources[:-1], codes):
    sys.modules[name] = types.ModuleType(name)
    exec(code, vars(sys.modules[name]))
code = codes[-1]
del file, sources, magic, codes, name, _
exec(code)
"""


def zygote_text() -> str:
    """All of it as one text, for `python -c` of any version."""
    return "".join(
        line
        for name in _MODULES
        for line in _source(name).splitlines(keepends=True)
        if not line.startswith("from sandbox.")
    )


@contextlib.contextmanager
def zygote_program() -> Iterator[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    """It for a `python -c` on this machine: the text, its first arguments, and descriptors for it to inherit."""
    with contextlib.ExitStack() as files:
        try:
            descriptor = files.enter_context(_in_memory())
        except OSError as error:
            if error.errno != errno.EFBIG:  # files may not be that large here, even in memory
                raise
            yield zygote_text(), (), ()
        else:
            yield _LOAD, (str(descriptor),), (descriptor,)


@contextlib.contextmanager
def _in_memory() -> Iterator[int]:
    """The descriptor of a file with what `_LOAD` loads. Raises OSError."""
    descriptor = os.memfd_create("zygote")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(_content())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@functools.cache
def _content() -> bytes:
    """Of that file: the same for all workers."""
    sources = [(f"sandbox.inside.{name}", _source(name)) for name in _MODULES]
    codes = marshal.dumps([_compiled(name) for name, _ in sources])
    return marshal.dumps((sources, importlib.util.MAGIC_NUMBER, codes), 2)  # a form that all versions read


def _source(name: str) -> str:
    return (_INSIDE / f"{name}.py").read_text(encoding="utf-8")


def _compiled(name: str) -> object:
    """From Python's own cache, most often."""
    spec = importlib.util.find_spec(name)
    return spec.loader.get_code(name) if spec and spec.loader else None  # type: ignore[attr-defined]
