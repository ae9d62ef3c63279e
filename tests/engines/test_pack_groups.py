"""A reader that comes hours late needs few requests, and one that follows loses nothing by it."""

from __future__ import annotations

import pytest

from engines.carriers.blobs import FROM, GROUP, BlobCarrier, group_name, grouped, ungrouped
from engines.carriers.folder_blobs import FolderBlobs
from engines.node import carried
from engines.node.carried import _Outgoing
from results.errors import ResultsError


class Counted(FolderBlobs):
    """Notes what is asked for."""

    asked: list[str]

    def get(self, name, most):
        self.asked.append(name)
        return super().get(name, most)


@pytest.fixture
def folders(tmp_path):
    for name in ("there", "here"):
        (tmp_path / name).mkdir()
    return tmp_path


def carrier(tmp_path):
    blobs = Counted(tmp_path / "store")
    blobs.asked = []
    return BlobCarrier("", lambda _: blobs, hint=""), blobs.asked


def written(folders, packs, after_each=lambda: None):
    outgoing = _Outgoing(FolderBlobs(folders / "store"), folders / "there")
    for number in range(packs):
        with (folders / "there" / "log").open("a") as file:
            file.write(f"line {number}\n")
        assert outgoing.put_what_is_new()
        after_each()


def fetched(brings, folders):
    while brings.fetch("/a", folders / "here"):
        pass
    return (folders / "here" / "log").read_text() == (folders / "there" / "log").read_text()


def test_a_late_reader_takes_groups(folders):
    written(folders, GROUP + 10)
    brings, asked = carrier(folders)
    assert fetched(brings, folders)
    assert len(asked) == 1 + 1 + 10 + 2, "a group, no second one, single packs, and none after them"


def test_a_reader_that_follows_and_one_that_begins_anywhere_get_the_same(folders):
    brings, _ = carrier(folders)
    late, _ = carrier(folders)
    (folders / "late").mkdir()
    looks = []

    def look():
        assert brings.fetch("/a", folders / "here")
        if len(looks) in {5, GROUP - 1, GROUP, GROUP + 3}:
            late.fetch("/a", folders / "late")
        looks.append(1)

    written(folders, GROUP + 5, look)
    assert fetched(brings, folders)
    while late.fetch("/a", folders / "late"):
        pass
    assert (folders / "late" / "log").read_text() == (folders / "there" / "log").read_text()


def test_a_group_that_could_not_be_put_costs_only_requests(folders):
    written(folders, GROUP + 2)
    (folders / "store" / group_name(FROM, 1)).unlink()
    brings, _ = carrier(folders)
    assert fetched(brings, folders)


def test_what_is_no_group_is_an_error_and_too_much_is_none(monkeypatch):
    packs = [b"x" * number for number in range(GROUP)]
    whole = grouped(packs)
    assert ungrouped(whole) == packs
    for wrong in (b"", b"\0\0", whole[:-1], whole + b"x", whole + b"\0\0\0\0", b"\xff\xff\xff\xff" + whole):
        with pytest.raises(ResultsError):
            ungrouped(wrong)
    monkeypatch.setattr("engines.carriers.blobs.MOST_BYTES", 100)
    assert grouped(packs) is None


def test_a_wrong_address_is_an_error_and_nothing_is_written_there(tmp_path, capsys):
    assert carried.main([str(tmp_path / "none"), "--sha256", "0", "--"]) == ResultsError.exit_code
    assert "there is no attempt at that address" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
