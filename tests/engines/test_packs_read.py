"""A later coordinator takes nothing back that an earlier one has brought here, and has all before an attempt ends."""

from __future__ import annotations

import pytest

from engines.carriers import progress
from engines.carriers.blobs import FROM, GROUP, BlobCarrier, pack_name
from engines.carriers.folder_blobs import FolderBlobs
from engines.carriers.growing_files import GrowingFiles
from engines.carriers.packs import packed
from engines.node.attempt_files import read_end

RUN = "20261126T000000Z-a-b-0000"
PACKS = 2 * GROUP + 10


class Store(FolderBlobs):
    """Of which requests after the first few fail, if it is told so."""

    left = None

    def get(self, name, most):
        if self.left is not None:
            if self.left == 0:
                raise OSError("no route to it")
            self.left -= 1
        return super().get(name, most)


@pytest.fixture(scope="module")
def packs(tmp_path_factory):
    """Of an attempt that came to its end, a completion a pack. They are only read."""
    folder = tmp_path_factory.mktemp("packs")
    node = folder / "node"
    (node / RUN).mkdir(parents=True)
    store, growing = Store(folder / "store"), GrowingFiles(node)
    for number in range(PACKS):
        with (node / RUN / "completions.jsonl").open("a") as file:
            file.write(f"{number}\n")
        if number == PACKS - 1:
            (node / "end.json").write_text('{"kind":"done"}')
        (data,) = packed(growing.pieces())
        store.put(pack_name(FROM, number + 1), data)
    return folder / "store"


@pytest.fixture
def store(packs, tmp_path):
    (tmp_path / "here").mkdir()
    return Store(packs)


def coordinator(store):
    return BlobCarrier("", lambda _: store, hint="")


def completions(here):
    return len((here / RUN / "completions.jsonl").read_text().splitlines())


def test_a_later_coordinator_goes_on_where_the_earlier_one_was(store, tmp_path):
    here = tmp_path / "here"
    first = coordinator(store)
    assert first.fetch("/a", here)
    assert not first.has_all("/a")
    later = coordinator(store)
    assert completions(here) == GROUP
    counts = []
    while later.fetch("/a", here):
        counts.append(completions(here))
    assert counts == [2 * GROUP, PACKS]
    assert later.has_all("/a")
    assert read_end(here) is not None
    last = coordinator(store)
    assert not last.fetch("/a", here)
    assert completions(here) == PACKS, "nothing was taken back"
    assert last.has_all("/a")
    assert read_end(here) is not None


def test_after_a_start_of_the_machine_no_end_is_here_before_all_is(store, tmp_path, monkeypatch):
    """What was written to the disk then isn't sure, so everything is read again."""
    here = tmp_path / "here"
    while coordinator(store).fetch("/a", here):
        pass
    monkeypatch.setattr("engines.carriers.progress.boot_id", lambda: b"another")
    later = coordinator(store)
    looks = []
    while later.fetch("/a", here):
        looks.append((read_end(here) is not None, completions(here)))
    assert looks == [(False, PACKS), (False, PACKS), (True, PACKS)], "nothing is taken back meanwhile"
    assert later.has_all("/a")


def test_a_store_that_goes_away_meanwhile_has_not_shown_all(store, tmp_path):
    carrier = coordinator(store)
    store.left = 5
    assert carrier.fetch("/a", tmp_path / "here")
    assert not carrier.fetch("/a", tmp_path / "here")
    assert not carrier.has_all("/a")
    store.left = None
    while carrier.fetch("/a", tmp_path / "here"):
        pass
    assert carrier.has_all("/a")


@pytest.mark.parametrize("note", [b"", b"x", b"\xff\n", b"- - 99999999999999\n", b"a b c d\n", b"a b -1\n"])
def test_a_note_that_is_none_of_ours_counts_as_none(store, tmp_path, note):
    (tmp_path / "here" / progress.PROGRESS).write_bytes(note)
    assert coordinator(store).fetch("/a", tmp_path / "here")
    assert completions(tmp_path / "here") == GROUP


def test_packs_of_another_place_are_read_from_the_first_one(store, tmp_path):
    here = tmp_path / "here"
    while coordinator(store).fetch("/a", here):
        pass
    other = coordinator(store)
    assert other.fetch("/b", here)
    assert not other.has_all("/b")
    assert read_end(here) is None
