"""The next model's file is in memory before its server asks for it, and never at the price of what is in use."""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from types import SimpleNamespace

import psutil
import pytest

from engines.prefetch import Prefetch
from tests.command_line import wait_for

SIZE_BYTES = 48 << 20


def cached_share(path) -> float:
    """Of the file's pages, by mincore(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        pages = (len(mapped) + mmap.PAGESIZE - 1) // mmap.PAGESIZE
        vector = (ctypes.c_ubyte * pages)()
        start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(len(mapped)), vector) == 0, (
            ctypes.get_errno()
        )
        return sum(page & 1 for page in vector) / pages


@pytest.fixture
def cold_file(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(os.urandom(1 << 20) * (SIZE_BYTES >> 20))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_share(path) > 0.5:
        pytest.skip("this file system keeps what it is told to forget")
    return path


def test_a_file_that_fits_is_brought_in_and_then_the_rest_is_done(cold_file):
    done = threading.Event()
    Prefetch().start([cold_file], done.set)
    assert done.wait(20)
    wait_for(lambda: cached_share(cold_file) > 0.95)


def test_a_file_that_does_not_fit_is_left_alone(cold_file, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1 << 30))
    done = threading.Event()
    prefetch = Prefetch()
    prefetch.start([cold_file], done.set)
    assert not done.wait(0.5)
    assert cached_share(cold_file) < 0.5


def test_a_missing_file_is_for_its_run_to_tell(tmp_path):
    Prefetch().start([tmp_path / "none.gguf"], lambda: None)
