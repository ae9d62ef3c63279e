"""What is no pack is an error, and what a pack brings half-way is brought to its end with the next try."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.carriers import packs
from engines.carriers.blobs import FROM, BlobCarrier, pack_name
from engines.carriers.folder_blobs import FolderBlobs
from engines.carriers.growing_files import GrowingFiles, Piece
from engines.carriers.packs import WrongPack, pack, packed, unpack, write_piece
from engines.carriers.received_files import ReceivedFiles
from results.errors import ResultsError


def test_what_is_no_pack_is_an_error(monkeypatch):
    pieces = [Piece("a", 0, b"abc", replaces=True, last=False), Piece("b", 7, b"")]
    whole = pack(pieces, last=True)
    assert unpack(whole) == (pieces, True)
    wrong = [b"", b"{}", whole[:-1], whole + b"x", whole.replace(b'"size":3', b'"size":-3'), b"other" + whole]
    for data in (*wrong, whole.replace(b'"offset":7', b'"offset":-7')):
        with pytest.raises(WrongPack):
            unpack(data)
    monkeypatch.setattr(packs, "MOST_BYTES", 10)
    with pytest.raises(WrongPack):
        unpack(whole)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_bytes_give_pieces_or_an_error(head, data):
    with pytest.raises(WrongPack):
        unpack(b"bench-runner pieces 1\n" + head + b"\n" + data + b"!")


def test_a_large_file_goes_in_several_packs_and_an_empty_one_too(tmp_path, monkeypatch):
    monkeypatch.setattr("engines.carriers.growing_files.MOST_DATA", 1000)
    monkeypatch.setattr(packs, "PART_BYTES", 1500)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "server.log").write_bytes(bytes(range(256)) * 40)
    (source / "script.log").touch()
    (source / "large.json").write_bytes(bytes(range(256)) * 40)
    files, made = ReceivedFiles(target), list(packed(GrowingFiles(source).pieces(), ended=True))
    assert len(made) > 10
    assert [unpack(each)[1] for each in made] == [False] * (len(made) - 1) + [True]
    for piece in (piece for each in made for piece in unpack(each)[0]):
        write_piece(files, piece)
    for path in source.iterdir():
        assert (target / path.name).read_bytes() == path.read_bytes()


def test_a_name_that_leads_elsewhere_and_too_much_are_wrong_packs(tmp_path):
    for piece in (Piece("../outside", 0, b"x"), Piece("log", 1 << 60, b"x"), Piece("unit.json", 0, b"x")):
        with pytest.raises(WrongPack, match="can't be right"):
            write_piece(ReceivedFiles(tmp_path), piece)
    with pytest.raises(WrongPack, match="more files or bytes"):
        write_piece(ReceivedFiles(tmp_path, most_bytes=3), Piece("log", 0, b"four"))
    assert not list(tmp_path.iterdir())


def test_a_machine_fills_no_disk_through_a_store(tmp_path):
    """What it may send is bounded for the whole attempt, not for each look at the store."""
    blobs, here = FolderBlobs(tmp_path / "store"), tmp_path / "here"
    here.mkdir()
    carrier = BlobCarrier("", lambda _: blobs, hint="")
    for number in (1, 2):
        blobs.put(pack_name(FROM, number), pack([Piece(f"file {number}", 0, b"")]))
        assert carrier.fetch("/a", here)
        carrier._reading["/a"].files.most_files = 2
    blobs.put(pack_name(FROM, 3), pack([Piece("file 3", 0, b"")]))
    with pytest.raises(WrongPack, match="more files or bytes"):
        carrier.fetch("/a", here)


def test_a_pack_that_could_be_written_only_in_part_goes_on_where_it_was(tmp_path):
    """As after a full disk or a kill: the record was complete already, and its beginning is in the pack before."""
    blobs, here = FolderBlobs(tmp_path / "store"), tmp_path / "here"
    here.mkdir()
    carrier = BlobCarrier("", lambda _: blobs, hint="")
    first = [Piece("run.json", 0, b"one ", replaces=True, last=False), Piece("log", 0, b"line\n")]
    blobs.put(pack_name(FROM, 1), pack(first))
    assert carrier.fetch("/a", here)
    second = [Piece("run.json", 4, b"record", replaces=True), Piece("log", 5, b"more\n")]
    blobs.put(pack_name(FROM, 2), pack(second))
    (here / "log").rename(here / "aside")
    (here / "log").mkdir()
    with pytest.raises(ResultsError):
        carrier.fetch("/a", here)
    (here / "log").rmdir()
    (here / "aside").rename(here / "log")
    later = BlobCarrier("", lambda _: blobs, hint="")
    assert later.fetch("/a", here)
    assert (here / "run.json").read_bytes() == b"one record"
    assert (here / "log").read_bytes() == b"line\nmore\n"
