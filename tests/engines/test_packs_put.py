"""A machine does what the sweep has put into the store, and nothing that others have put there instead."""

from __future__ import annotations

import pytest

from engines.carriers.blobs import TO, BlobCarrier, pack_name
from engines.carriers.choose import blobs_at
from engines.carriers.growing_files import GrowingFiles
from engines.carriers.packs import pack, packed, unpack
from engines.node import carried
from results.errors import ResultsError, UsageError
from tests.engines.driving import driven_sweep


@pytest.fixture
def put(tmp_path):
    """An attempt in a store: its blobs, what a machine is started with, and a unit of somebody else's."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    sweeps = [driven_sweep(tmp_path / name, limit=1) for name in ("ours", "theirs")]
    ours, theirs = (sweep.store.partial(sweep.units.take()) for sweep in sweeps)
    carrier = BlobCarrier(str(tmp_path / "store"), blobs_at, hint="")
    address = carrier.put(ours.folder, ours.name)
    words = carrier.program(address)
    assert words[:2] == ("-m", "engines.node.carried")
    other = list(packed(GrowingFiles(theirs.folder, with_unit=True).pieces(), ended=True))
    return blobs_at(address), words[2:], other, sweeps


def replaced(blobs, other):
    for number, data in enumerate(other, 1):
        blobs.put(pack_name(TO, number), data)


def followed_by_more(blobs, other):
    last = blobs.get(pack_name(TO, 1), 1 << 20)
    blobs.put(pack_name(TO, 1), pack(unpack(last)[0]))
    blobs.put(pack_name(TO, 2), other[0])


@pytest.mark.parametrize("change", [replaced, followed_by_more])
def test_what_others_have_put_there_is_not_done(put, tmp_path, monkeypatch, capsys, change):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    blobs, words, other, sweeps = put
    change(blobs, other)
    assert carried.main(words) == ResultsError.exit_code
    assert "not what the sweep has put there" in capsys.readouterr().err
    assert [sweep.generated() for sweep in sweeps] == [[], []]
    assert not list(tmp_path.glob("bench-attempt-*"))


def test_without_a_checksum_nothing_is_done(put, capsys):
    _, words, *_ = put
    with pytest.raises(SystemExit):
        carried.main([words[0], "--"])
    assert "--sha256" in capsys.readouterr().err


def test_a_workdir_that_others_can_write_to_is_refused(put, tmp_path, capsys):
    """They could change what is done there."""
    _, words, _, sweeps = put
    (tmp_path / "all").mkdir()
    (tmp_path / "all").chmod(0o777)
    assert carried.main([words[0], "--workdir", str(tmp_path / "all"), *words[1:]]) == UsageError.exit_code
    assert "other users can write to" in capsys.readouterr().err
    assert not list((tmp_path / "all").iterdir())
    assert sweeps[0].generated() == []
