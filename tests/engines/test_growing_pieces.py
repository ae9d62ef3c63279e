"""What a unit writes arrives whole and in order, however its files grow, shrink or are replaced meanwhile."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from engines.node import growing_files
from engines.node.growing_files import GrowingFiles
from engines.ssh.received_files import ReceivedFiles
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


def mirror(source, target, files):
    received = ReceivedFiles(target)
    for piece in files.pieces():
        if piece.replaces:
            received.replaced(piece.path, piece.offset, piece.data, last=piece.last)
        else:
            received.grew(piece.path, piece.offset, piece.data)


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
    files = GrowingFiles(source)
    for what, name, data in steps:
        if what == "look":
            mirror(source, target, files)
        else:
            change(source, what, name, data)
    mirror(source, target, files)
    for name in NAMES:
        if (source / name).exists():
            assert (target / name).read_bytes() == (source / name).read_bytes(), name


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


def test_large_files_come_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(growing_files, "MOST_DATA", 1000)
    (tmp_path / "a").write_bytes(bytes(range(256)) * 20)
    pieces = list(GrowingFiles(tmp_path).pieces())
    assert [piece.offset for piece in pieces] == [0, 1000, 2000, 3000, 4000, 5000]
    assert b"".join(piece.data for piece in pieces) == bytes(range(256)) * 20


def test_locks_links_and_hidden_files_stay_there(tmp_path):
    (tmp_path / "harness.lock").touch()
    (tmp_path / ".a.tmp").touch()
    (tmp_path / "unit.json").touch()
    (tmp_path / "benchmark_results.json").touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").symlink_to("/etc")
    assert list(GrowingFiles(tmp_path).pieces()) == []
