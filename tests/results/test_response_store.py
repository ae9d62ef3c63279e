"""The file of kept answers: several processes, a full disk, damage, and its bounded size."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from results.errors import ResultsError
from results.response_store import ResponseStore, remove_store

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITER = """
import sys
from pathlib import Path
from results.response_store import ResponseStore
store = ResponseStore(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.readline()
for number in range(25):
    store.put([(f"{sys.argv[2]} {number}".encode(), b"own"), (f"shared {number}".encode(), sys.argv[2].encode())])
store.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "responses" / "responses.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[ResponseStore]:
    opened = ResponseStore(path)
    yield opened
    opened.close()


def test_what_is_kept_is_there_when_the_file_is_opened_again(path):
    first = ResponseStore(path)
    first.put([(b"a", b"answer"), (b"b", b"")])
    first.close()
    again = ResponseStore(path)
    assert (again.get(b"a"), again.get(b"b"), again.get(b"c")) == (b"answer", b"", None)
    assert again.stats().entries == 2
    again.close()


def test_the_first_answer_holds(store):
    """A second judging sees the answers that the first run saw, whatever came afterwards."""
    store.put([(b"a", b"first")])
    store.put([(b"a", b"second")])
    assert store.get(b"a") == b"first"


def test_nobody_else_may_read_answers(path, store):
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_two_processes_keep_answers_at_once(path, store):
    """Nothing is lost, and of two answers to one request one is kept."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "open\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert store.stats().entries == 75
    assert all(
        store.get(f"{name} {number}".encode()) == b"own" for name in ("one", "two") for number in range(25)
    )
    assert {store.get(f"shared {number}".encode()) for number in range(25)} <= {b"one", b"two"}


def test_the_file_stays_within_its_limit_and_keeps_what_was_used_last(path):
    limit = 1 << 20
    store = ResponseStore(path, limit_bytes=limit)
    for batch in range(20):
        store.put([(f"{batch} {number}".encode(), os.urandom(20_000)) for number in range(10)])
        assert path.stat().st_size <= limit
    assert store.get(b"19 9") is not None
    assert store.get(b"0 0") is None
    assert store.stats().entries > 30
    store.close()


def test_an_answer_in_recent_use_outlives_one_that_is_not(path):
    store = ResponseStore(path, limit_bytes=1 << 20)
    store.put([(b"in use", b"a"), *((f"old {number}".encode(), os.urandom(20_000)) for number in range(40))])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE responses SET used_s = 1000000000")
    database.close()
    assert store.get(b"in use") == b"a"
    store.put([(str(number).encode(), os.urandom(20_000)) for number in range(20)])
    assert store.get(b"old 0") is None
    assert store.get(b"in use") == b"a"
    store.close()


def test_an_answer_larger_than_a_quarter_of_the_limit_is_not_kept(path):
    store = ResponseStore(path, limit_bytes=1 << 20)
    store.put([(b"small", b"a"), (b"large", os.urandom(600_000))])
    assert (store.get(b"small"), store.get(b"large")) == (b"a", None)
    store.close()


def test_a_changed_answer_is_none(path, store):
    """A flipped bit in the file must never become another verdict."""
    store.put([(b"a", b"four"), (b"b", b"five")])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE responses SET value = (SELECT value FROM responses WHERE key = X'62')")
    database.close()
    assert store.get(b"a") is None
    assert store.get(b"b") == b"five"
    store.put([(b"a", b"four")])
    assert store.get(b"a") == b"four"


@pytest.mark.parametrize(
    "content", [b"no database at all, but a text\n" * 100, b"SQLite format 3\0" + bytes(8000)]
)
def test_a_damaged_file_is_said_and_can_be_cleared(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="kept answers in") as failure:
        ResponseStore(path).get(b"a")
    assert "cache clear" in failure.value.hint
    assert remove_store(path) == len(content)
    fresh = ResponseStore(path)
    assert fresh.get(b"a") is None
    fresh.close()


def test_a_database_of_another_program_is_left_alone(path):
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (value)")
    database.close()
    for tried in (ResponseStore, remove_store):
        with pytest.raises(ResultsError, match="another program"):
            tried(path)
    assert path.exists()


def test_a_newer_file_is_left_alone(path):
    ResponseStore(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(ResultsError, match="newer"):
        ResponseStore(path)


def test_a_full_disk_is_said_and_loses_nothing_that_was_kept(path):
    """The limit of a file's size stands for the disk: writing beyond it fails in the same way."""
    code = f"""
import resource, signal, os
from pathlib import Path
from results.errors import ResultsError
from results.response_store import ResponseStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = ResponseStore(Path({str(path)!r}))
store.put([(b"before", b"kept")])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    store.put([(b"%d" % number, os.urandom(10_000)) for number in range(100)])
except ResultsError as error:
    print(error.hint)
print(store.get(b"before"), store.get(b"5"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
store.put([(b"after", b"kept too")])
print(store.get(b"after"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, *found = done.stdout.splitlines()
    assert "free some space" in said
    assert found == ["b'kept' None", "b'kept too'"]


def test_what_is_no_regular_file_is_refused(path):
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    with pytest.raises(ResultsError, match="FIFO"):
        ResponseStore(path)


def test_clearing_gives_the_room_back_while_another_process_has_the_file_open(path, store):
    store.put([(str(number).encode(), os.urandom(20_000)) for number in range(50)])
    before = path.stat().st_size
    assert remove_store(path) > 0.9 * (before - 100_000)
    assert store.get(b"1") is None
    store.put([(b"1", b"new")])
    assert store.get(b"1") == b"new"


def test_clearing_what_was_never_there(path):
    assert remove_store(path) == 0
    assert not path.exists()


def test_no_descriptor_stays_open(path):
    descriptors = Path("/proc/self/fd")
    before = len([*descriptors.iterdir()])
    ResponseStore(path).close()
    assert len([*descriptors.iterdir()]) == before
