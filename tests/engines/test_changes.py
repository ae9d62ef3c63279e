"""Packs of changes bring a growing folder over exactly, and never write anywhere else, whatever a machine sends."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.carriers import changes as packs
from engines.carriers.blobs import packed
from engines.carriers.changes import Bounds, Change, apply, pack, unpack
from engines.carriers.growing_files import GrowingFiles
from results.errors import ResultsError


class _Mirror:
    """A folder and its copy, which every `look` brings up to date."""

    def __init__(self, path):
        self.there, self.here = path / "there", path / "here"
        self.there.mkdir()
        self.here.mkdir()
        self.files = GrowingFiles(self.there, leave=("unit.json",))

    def look(self, **words) -> int:
        """Returns how many bytes of files came over."""
        came = 0
        for data in packed(self.files.changes(**words)):
            changes, _ = unpack(data)
            apply(changes, self.here, keep=("unit.json",))
            came += sum(len(each) for _, each in changes)
        assert _files(self.here) == {
            name: data
            for name, data in _files(self.there).items()
            if name not in {"unit.json", *words.get("without", ())}
        }
        return came


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and "/." not in str(path)
    }


@pytest.fixture
def mirror(tmp_path):
    return _Mirror(tmp_path)


def test_only_what_was_appended_travels(mirror):
    log = mirror.there / "run" / "completions.jsonl"
    log.parent.mkdir()
    log.write_bytes(b"x" * 100_000)
    assert mirror.look() == 100_000
    with log.open("ab") as file:
        file.write(b"more")
    assert mirror.look() == 4
    assert mirror.look() == 0


def test_a_replaced_a_cut_and_a_removed_file_come_over_whole(mirror):
    """A journal whose torn tail is cut and that then grows is longer than before, and yet not only appended to."""
    log, record = mirror.there / "completions.jsonl", mirror.there / "run.json"
    log.write_bytes(b"a line\ntorn")
    record.write_bytes(b'{"status": "started"}')
    mirror.look()
    with log.open("r+b") as file:
        file.truncate(7)
        file.seek(0, 2)
        file.write(b"another line that is longer\n")
    record.write_bytes(b'{"status": "st0pped"}')  # as long as before, in place
    mirror.look()
    log.unlink()
    other = mirror.there / "other"
    other.write_bytes(b"shorter")
    other.replace(record)
    mirror.look()
    assert not (mirror.here / "completions.jsonl").exists()


def test_a_file_of_many_parts_and_an_empty_one_arrive(mirror, monkeypatch):
    monkeypatch.setattr("engines.carriers.growing_files.PART_BYTES", 1000)
    monkeypatch.setattr("engines.carriers.blobs.PART_BYTES", 1500)
    (mirror.there / "server.log").write_bytes(bytes(range(256)) * 40)
    (mirror.there / "script.log").touch()
    assert mirror.look() == 256 * 40
    assert (mirror.here / "script.log").exists()


def test_links_and_hidden_files_stay_and_odd_names_go(mirror, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the machine")
    (mirror.there / "link").symlink_to(secret)
    (mirror.there / "folder").symlink_to(tmp_path)
    (mirror.there / ".run.json.tmp").write_text("half")
    os.mkfifo(mirror.there / "fifo")
    (mirror.there / os.fsdecode(b"n\xffme %2e \n\xc3\xa9")).write_text("odd")
    assert mirror.look() == 3
    assert [path.name for path in mirror.here.iterdir()] == [os.fsdecode(b"n\xffme %2e \n\xc3\xa9")]


def test_the_end_comes_after_everything_that_it_speaks_of(mirror):
    (mirror.there / "end.json").write_text("{}")
    (mirror.there / "zzz.log").write_text("before it")
    mirror.look(without=("end.json",))
    assert not (mirror.here / "end.json").exists()
    mirror.look()


def test_what_both_sides_have_does_not_travel(mirror):
    (mirror.there / "completions.jsonl").write_text("of an earlier attempt\n")
    mirror.files.forget_changes()
    assert list(mirror.files.changes()) == []


@pytest.mark.parametrize(
    "path",
    [
        "../outside", "run/../../outside", "/etc/outside", "", ".", "..", "run//outside", "run/", "a/./b", ".hidden",
        "run/.run.json.tmp", "%2e%2e/outside", "..%2foutside", "%2foutside", "a%00b", "link/outside", "link",
        "unit.json", "unit.json/x", "x" * 300, "/".join("a" * 20),
    ],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(path, tmp_path):
    folder = tmp_path / "attempt"
    folder.mkdir()
    (folder / "unit.json").write_text("ours")
    (folder / "link").symlink_to(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for change in (
        Change(path=path, size=4, whole=True),
        Change(path=path, size=4),
        Change(path=path, gone=True),
    ):
        if path == "link" and (change.whole or change.gone):
            continue  # the link itself may go, but not what it leads to
        with pytest.raises(ResultsError):
            apply([(change, b"evil"[: change.size])], folder, keep=("unit.json",))
    assert sorted(tmp_path.rglob("*")) == before
    assert (folder / "unit.json").read_text() == "ours"


def test_a_gap_is_refused_so_no_file_gets_large_for_nothing(tmp_path):
    with pytest.raises(ResultsError, match="gap"):
        apply([(Change(path="log", offset=1 << 60, size=1), b"x")], tmp_path)


def test_a_machine_cannot_fill_this_disk(tmp_path):
    bounds = Bounds(most_bytes=10, most_files=2)

    def sent(path, **facts):
        change = Change(path=path, **facts)
        apply([(change, b"x" * change.size)], tmp_path, bounds=bounds)

    sent("a", size=8, whole=True)
    sent("a", size=9, whole=True)  # in its place
    sent("b", size=1, whole=True)
    with pytest.raises(ResultsError, match="more files or bytes"):
        sent("b", offset=1, size=1)
    sent("b", gone=True)
    sent("a", size=1, whole=True)
    sent("c", size=1, whole=True)
    with pytest.raises(ResultsError, match="more files or bytes"):
        sent("d", size=1, whole=True)


def test_what_is_no_pack_is_an_error(monkeypatch):
    whole = pack([(Change(path="a", size=3, whole=True), b"abc")], last=True)
    assert unpack(whole) == ([(Change(path="a", size=3, whole=True), b"abc")], True)
    wrong = [b"", b"{}", whole[:-1], whole + b"x", whole.replace(b'"size":3', b'"size":-3'), b"other" + whole]
    for data in wrong:
        with pytest.raises(ResultsError):
            unpack(data)
    monkeypatch.setattr(packs, "MOST_BYTES", 10)
    with pytest.raises(ResultsError):
        unpack(whole)


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_any_bytes_give_changes_or_an_error(head, data):
    with pytest.raises(ResultsError):
        unpack(b"bench-runner changes 1\n" + head + b"\n" + data + b"!")
