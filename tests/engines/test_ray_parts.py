"""What a node sends is put together, and no more of it than an attempt may have."""

from __future__ import annotations

import pytest

from engines.carriers.changes import MOST_BYTES, Bounds, Change, WrongPack, pack
from engines.ray.parts import Parts


def sent(name, data, offset=0):
    return pack([(Change(path=name, offset=offset, size=len(data)), data)])


def test_a_pack_comes_in_parts(tmp_path):
    parts = Parts(tmp_path)
    whole = sent("completions.jsonl", b"one\n")
    parts.add(whole[:20], is_last=False)
    assert not list(tmp_path.iterdir())
    parts.add(whole[20:], is_last=True)
    parts.add(sent("completions.jsonl", b"two\n", offset=4), is_last=True)
    assert (tmp_path / "completions.jsonl").read_bytes() == b"one\ntwo\n"


def test_a_node_cannot_fill_this_machines_disk_or_memory(tmp_path):
    """The bounds count over all packs of the attempt."""
    parts = Parts(tmp_path, Bounds(most_bytes=1000, most_files=2))
    for number in range(9):
        parts.add(sent("log", b"x" * 100, offset=100 * number), is_last=True)
    with pytest.raises(WrongPack, match="more files or bytes"):
        parts.add(sent("log", b"x" * 200, offset=900), is_last=True)
    parts = Parts(tmp_path, Bounds(most_files=2))
    with pytest.raises(WrongPack, match="more files or bytes"):
        for number in range(3):
            parts.add(sent(f"file{number}", b""), is_last=True)
    parts = Parts(tmp_path)
    with pytest.raises(WrongPack, match="longer"):
        for _ in range(MOST_BYTES // (1 << 20) + 1):
            parts.add(b"x" * (1 << 20), is_last=False)


def test_a_node_cannot_change_what_it_was_given_to_do(tmp_path):
    with pytest.raises(WrongPack, match="not its to change"):
        Parts(tmp_path).add(sent("unit.json", b"{}"), is_last=True)
