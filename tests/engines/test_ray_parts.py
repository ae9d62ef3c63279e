"""What a node sends is put together, no more than an attempt may have, and none is gone before it was adopted."""

from __future__ import annotations

import threading

import pytest

from engines.carriers.blobs import FROM, BlobCarrier, pack_name
from engines.carriers.folder_blobs import FolderBlobs
from engines.carriers.growing_files import Piece
from engines.carriers.packs import MOST_BYTES, WrongPack, pack
from engines.carriers.received_files import ReceivedFiles
from engines.ray.parts import Parts
from engines.ray.stored import Stored
from results.errors import ResultsError


def sent(name, data, offset=0):
    return pack([Piece(name, offset, data)])


def test_a_pack_comes_in_parts(tmp_path):
    parts = Parts(ReceivedFiles(tmp_path))
    whole = sent("completions.jsonl", b"one\n")
    parts.add(whole[:20], is_last=False)
    assert not list(tmp_path.iterdir())
    parts.add(whole[20:], is_last=True)
    parts.add(sent("completions.jsonl", b"two\n", offset=4), is_last=True)
    assert (tmp_path / "completions.jsonl").read_bytes() == b"one\ntwo\n"


def test_a_node_cannot_fill_this_machines_disk_or_memory(tmp_path):
    """The bounds count over all packs of the attempt."""
    parts = Parts(ReceivedFiles(tmp_path, most_bytes=1000, most_files=2))
    for number in range(9):
        parts.add(sent("log", b"x" * 100, offset=100 * number), is_last=True)
    with pytest.raises(WrongPack, match="more files or bytes"):
        parts.add(sent("log", b"x" * 200, offset=900), is_last=True)
    parts = Parts(ReceivedFiles(tmp_path, most_files=2))
    with pytest.raises(WrongPack, match="more files or bytes"):
        for number in range(3):
            parts.add(sent(f"file{number}", b""), is_last=True)
    parts = Parts(ReceivedFiles(tmp_path))
    with pytest.raises(WrongPack, match="longer"):
        for _ in range(MOST_BYTES // (1 << 20) + 1):
            parts.add(b"x" * (1 << 20), is_last=False)


def test_a_node_cannot_change_what_it_was_given_to_do(tmp_path):
    with pytest.raises(WrongPack, match="the unit itself"):
        Parts(ReceivedFiles(tmp_path)).add(sent("unit.json", b"{}"), is_last=True)


class AwayForAWhile(FolderBlobs):
    """A store that gives no answer twice, after its first pack."""

    away = 2

    def get(self, name, most):
        if name == pack_name(FROM, 2) and self.away:
            self.away -= 1
            raise OSError("no route to it")
        return super().get(name, most)


def test_what_a_store_has_is_brought_whole_and_stays_there_until_it_was_adopted(tmp_path):
    """This machine could lose its power before what came is on its disk."""
    here = tmp_path / "attempt"
    here.mkdir()
    (here / "unit.json").write_text("{}")
    blobs = AwayForAWhile(tmp_path / "store")
    stored = Stored(BlobCarrier("s3://x", lambda _: blobs, hint=""), here, "sweep/unit/1", threading.Event())
    with stored.fetched(pytest.fail):
        for number in (1, 2, 3):
            data = b"%d\n" % number
            piece = Piece("completions.jsonl", 2 * (number - 1), data)
            blobs.put(pack_name(FROM, number), pack([piece]))
    assert (here / "completions.jsonl").read_text() == "1\n2\n3\n"
    assert not blobs.away
    assert blobs.get(pack_name(FROM, 1), 100)


class AwayAtFirst(FolderBlobs):
    """A store that can't be reached for some tries."""

    away = 3

    def put(self, name, data):
        if self.away:
            self.away -= 1
            raise OSError("no route to it")
        super().put(name, data)


def test_a_unit_waits_for_a_store_that_is_away_until_it_is_cancelled(tmp_path, monkeypatch):
    """Else each of its attempts would be gone within a second."""
    monkeypatch.setattr("engines.ray.stored.FIRST_WAIT_S", 0.001)
    here = tmp_path / "attempt"
    here.mkdir()
    (here / "unit.json").write_text("{}")
    blobs, stopped = AwayAtFirst(tmp_path / "store"), threading.Event()
    carrier = BlobCarrier("s3://x", lambda _: blobs, hint="")
    assert "s3://x/sweep/unit/1" in Stored(carrier, here, "sweep/unit/1", stopped).program
    assert not blobs.away
    blobs.away = 3
    stopped.set()
    with pytest.raises(ResultsError, match="no route"):
        Stored(carrier, here, "sweep/unit/2", stopped)
