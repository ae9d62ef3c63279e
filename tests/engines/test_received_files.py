"""A machine that was taken over can't write outside its attempt's folder, nor fill this disk."""

from __future__ import annotations

import os

import pytest

from engines.carriers.received_files import ReceivedFiles, RefusedFileError


@pytest.fixture
def attempt(tmp_path):
    folder = tmp_path / "results" / "units" / "u" / "1"
    folder.mkdir(parents=True)
    (folder / "unit.json").write_bytes(b"{}")
    return folder


def everything(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../../x", "/etc/x", "/x", "..", ".", "", "a//b", "a/", "./a", "a/./b", ".hidden", "a/.hidden/b",
        "a\0b", "a\nb", "a\x1b[2Jb", "\u202ea", "\udcff", "x" * 201, "/".join("a" * 9), "unit.json", "unit.json/x",
        "/".join(["x" * 199] * 6),
    ],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_or_hides_is_refused(path, attempt, tmp_path):
    before = everything(tmp_path)
    for write in (
        lambda: ReceivedFiles(attempt).grew(path, 0, b"x"),
        lambda: ReceivedFiles(attempt).replaced(path, 0, b"x", last=True),
    ):
        with pytest.raises(RefusedFileError):
            write()
    assert everything(tmp_path) == before


@pytest.mark.parametrize("link", ["run", "run/file"])
def test_links_are_not_followed(link, attempt, tmp_path):
    """There should be none: but who knows what an earlier attempt was copied from."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    if link == "run":
        (attempt / "run").symlink_to(outside)
    else:
        (attempt / "run").mkdir()
        (attempt / "run" / "file").symlink_to(outside / "file")
    with pytest.raises(RefusedFileError):
        ReceivedFiles(attempt).grew("run/file", 4, b"more")
    if link == "run":
        with pytest.raises(RefusedFileError):
            ReceivedFiles(attempt).replaced("run/file", 0, b"other", last=True)
    assert (outside / "file").read_text() == "kept"


def test_special_files_and_folders_are_not_written_to(attempt):
    os.mkfifo(attempt / "fifo")
    (attempt / "folder").mkdir()
    for path in ("fifo", "folder"):
        with pytest.raises(RefusedFileError):
            ReceivedFiles(attempt).grew(path, 0, b"x")
    with pytest.raises(RefusedFileError):
        ReceivedFiles(attempt).replaced("folder", 0, b"x", last=True)
    ReceivedFiles(attempt).grew("file", 0, b"x")
    with pytest.raises(RefusedFileError):
        ReceivedFiles(attempt).grew("file/below", 0, b"x")


def test_only_the_coordinator_gives_the_unit(tmp_path):
    ReceivedFiles(tmp_path, with_unit=True).replaced("unit.json", 0, b"{}", last=True)
    assert (tmp_path / "unit.json").read_bytes() == b"{}"


def test_what_came_may_come_again_from_a_store_but_makes_no_hole_and_changes_nothing(attempt):
    """A coordinator that was killed begins at the first piece again."""
    for _ in range(2):
        files = ReceivedFiles(attempt, repeats=True)
        files.grew("log", 0, b"first ")
        files.replaced("run/run.json", 0, b"new ", last=False)
        files.replaced("run/run.json", 4, b"record", last=True)
        files.grew("log", 6, b"second")
    assert (attempt / "log").read_bytes() == b"first second"
    assert (attempt / "run" / "run.json").read_bytes() == b"new record"
    files.replaced("run/run.json", 4, b"record", last=True)
    assert (attempt / "run" / "run.json").read_bytes() == b"new record"
    with pytest.raises(RefusedFileError):
        files.replaced("run/run.json", 4, b"other", last=True)
    for path, offset in (("log", 13), ("none", 1), ("log", 1 << 60)):
        with pytest.raises(RefusedFileError):
            files.grew(path, offset, b"x")


@pytest.mark.parametrize("offset", [1, 3, 1 << 40])
def test_nothing_is_overwritten_and_no_hole_is_made(offset, attempt):
    files = ReceivedFiles(attempt)
    files.grew("a", 0, b"ab")
    with pytest.raises(RefusedFileError):
        files.grew("a", offset, b"x")
    assert (attempt / "a").read_bytes() == b"ab"


def test_the_number_of_files_and_of_bytes_is_bounded(attempt):
    files = ReceivedFiles(attempt, most_bytes=10, most_files=3)
    files.grew("a", 0, b"12345")
    for number in range(9):
        files.replaced("b", 0, b"%05d" % number, last=True)  # the same five bytes each time
    with pytest.raises(RefusedFileError):
        files.grew("a", 5, b"6")
    few = ReceivedFiles(attempt, most_files=2)
    few.grew("c", 0, b"")
    few.grew("d", 0, b"")
    with pytest.raises(RefusedFileError):
        few.grew("e", 0, b"")


def test_a_file_is_replaced_only_when_its_last_piece_has_come(attempt):
    """A connection that ends between leaves the old content."""
    files = ReceivedFiles(attempt)
    files.grew("run/run.json", 0, b"old")
    files.replaced("run/run.json", 0, b"new ", last=False)
    assert (attempt / "run" / "run.json").read_bytes() == b"old"
    files.replaced("run/run.json", 4, b"content", last=True)
    assert (attempt / "run" / "run.json").read_bytes() == b"new content"
    files.grew("run/run.json", 11, b"!")
    assert everything(attempt)[attempt / "run" / "run.json"] == b"new content!"
