"""What a unit writes arrives whole and in order, however its files grow, shrink or are replaced meanwhile."""

from __future__ import annotations

import itertools
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.carriers import growing_files
from engines.carriers.growing_files import GrowingFiles
from engines.carriers.packs import packed, unpack, write_piece
from engines.carriers.received_files import ReceivedFiles
from results.durable import replace_file

NAMES = ("r/completions.jsonl", "r/run.json", "unit.log", "end.json")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["append", "replace", "cut", "write anew", "remove", "look"]),
        st.sampled_from(NAMES),
        st.binary(max_size=100),
    ),
    max_size=25,
)


def mirror(received, files):
    """Returns the packs in which they came."""
    packs = list(packed(files.pieces()))
    for pack in packs:
        for piece in unpack(pack)[0]:
            write_piece(received, piece)
    return packs


def change(folder, what, name, data):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    there = path.read_bytes() if path.exists() else b""
    match what:
        case "append":
            with path.open("ab") as file:
                file.write(data)
        case "replace":
            replace_file(path, data)
        case "cut":
            path.write_bytes(there[: len(there) // 2])
        case "write anew":
            path.write_bytes(data + there[1:])
        case "remove":
            path.unlink(missing_ok=True)


numbers = itertools.count()


@settings(max_examples=40)
@given(steps=STEPS)
def test_the_copy_is_what_was_written(steps, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"grow{next(numbers)}")
    source, target = folder / "source", folder / "target"
    source.mkdir()
    target.mkdir()
    files, received, packs = GrowingFiles(source), ReceivedFiles(target), []
    for what, name, data in steps:
        if what == "look":
            packs += mirror(received, files)
        else:
            change(source, what, name, data)
    packs += mirror(received, files)
    there = {name: (target / name).read_bytes() for name in NAMES if (target / name).exists()}
    for name in NAMES:
        if (source / name).exists():
            assert there[name] == (source / name).read_bytes(), name
    # Whoever begins anew, as a coordinator that reads a store after a kill, ends with the same.
    again = ReceivedFiles(target, repeats=True)
    for piece in (piece for pack in packs for piece in unpack(pack)[0]):
        write_piece(again, piece)
    assert {name: (target / name).read_bytes() for name in there} == there


def test_only_what_was_appended_travels_again(tmp_path):
    (tmp_path / "r").mkdir()
    path = tmp_path / "r" / "completions.jsonl"
    path.write_bytes(b"a" * 10_000)
    files = GrowingFiles(tmp_path)
    files.known_already()
    assert list(files.pieces()) == []
    with path.open("ab") as file:
        file.write(b"b")
    assert [(piece.offset, piece.data, piece.replaces) for piece in files.pieces()] == [(10_000, b"b", False)]


def test_a_record_never_arrives_before_what_it_speaks_of(tmp_path, monkeypatch):
    """A run that succeeds while it is looked at: its record was read first, so it comes with the next look."""
    run = tmp_path / "r"
    run.mkdir()
    (run / "run.json").write_text("started")
    (run / "completions.jsonl").write_text("1\n")
    files = GrowingFiles(tmp_path)
    seen = []
    for piece in files.pieces():
        if piece.path.endswith("completions.jsonl") and not seen:
            (run / "completions.jsonl").write_text("1\n2\n")
            replace_file(run / "run.json", b"succeeded")
            (tmp_path / "end.json").write_text("done")
        seen.append((piece.path, piece.data))
    assert seen == [("r/completions.jsonl", b"1\n"), ("r/run.json", b"started")]
    assert [piece.path for piece in files.pieces()] == ["r/completions.jsonl", "r/run.json", "end.json"]


def test_the_end_waits_for_whoever_asks_without_it(tmp_path):
    """Through a store, nobody but `end.json` says that the rest has come; what is written after it comes before it."""
    (tmp_path / "end.json").write_text("{}")
    files = GrowingFiles(tmp_path)
    assert list(files.pieces(with_end=False)) == []
    (tmp_path / "zzz.log").write_text("before it")
    assert [piece.path for piece in files.pieces()] == ["zzz.log", "end.json"]


def test_a_record_always_comes_whole(tmp_path):
    """One that is written in place and has as many bytes as before, or grows: no reader ever sees half of it."""
    record = tmp_path / "run.json"
    files = GrowingFiles(tmp_path)
    for content in ("started", "st0pped", "st0pped and more", ""):
        record.write_text(content)
        os.utime(record, ns=(len(content), hash(content) & 0xFFFFFF))
        assert [(piece.offset, piece.data.decode(), piece.replaces) for piece in files.pieces()] == [
            (0, content, True)
        ]


def test_a_journal_whose_torn_tail_is_cut_comes_whole_and_what_is_removed_stays_where_it_came(tmp_path):
    """It is longer than before, and yet not only appended to."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    files, received = GrowingFiles(source), ReceivedFiles(target)
    journal = source / "completions.jsonl"
    journal.write_bytes(b"a line\ntorn")
    mirror(received, files)
    with journal.open("r+b") as file:
        file.truncate(7)
        file.seek(0, 2)
        file.write(b"another line that is longer\n")
    mirror(received, files)
    assert (target / "completions.jsonl").read_bytes() == journal.read_bytes()
    journal.unlink()
    mirror(received, files)
    assert (target / "completions.jsonl").exists(), "a machine that lost it takes it from nobody"


def test_large_files_come_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(growing_files, "MOST_DATA", 1000)
    (tmp_path / "a").write_bytes(bytes(range(256)) * 20)
    pieces = list(GrowingFiles(tmp_path).pieces())
    assert [piece.offset for piece in pieces] == [0, 1000, 2000, 3000, 4000, 5000]
    assert b"".join(piece.data for piece in pieces) == bytes(range(256)) * 20


def test_locks_links_pipes_odd_names_and_hidden_files_stay_there(tmp_path):
    (tmp_path / "harness.lock").touch()
    (tmp_path / ".a.tmp").touch()
    (tmp_path / "unit.json").touch()
    (tmp_path / "benchmark_results.json").touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "fifo")
    for name in (b"n\xffme", b"a\nb", b"\x1b[2J", b"x" * 201):
        (tmp_path / os.fsdecode(name)).touch()
    deep = tmp_path.joinpath(*["x" * 180] * 6)
    deep.mkdir(parents=True)
    (deep / "file").touch()
    assert list(GrowingFiles(tmp_path).pieces()) == []
    assert [piece.path for piece in GrowingFiles(tmp_path, with_unit=True).pieces()] == ["unit.json"]
