"""Names that a user gives, or that others may write to: only regular files are opened, and nothing waits for ever."""

from __future__ import annotations

import ast
import os
import stat
from pathlib import Path

import pytest

from results.durable import explained, replace_file
from results.errors import ResultsError, UsageError
from results.files import (
    NotRegularError,
    instead_of,
    open_regular,
    open_to_append,
    read_file,
    unreadable,
    user_path,
)

ROOT = Path(__file__).parents[2]


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def device(path: Path) -> Path:
    path.symlink_to("/dev/null")
    return path


def listening(path: Path) -> Path:
    os.mknod(path, 0o600 | stat.S_IFSOCK)
    return path


@pytest.mark.parametrize(("make", "what"), [(fifo, "a FIFO"), (device, "a device"), (listening, "a socket")])
def test_what_is_no_regular_file_is_neither_read_nor_written_nor_replaced(tmp_path, make, what):
    path = make(tmp_path / "f")
    before = path.lstat()
    for use in (read_file, open_to_append, lambda path: open_regular(path, os.O_RDWR | os.O_CREAT)):
        with pytest.raises(NotRegularError, match=what):
            use(path)
    with pytest.raises(NotRegularError, match=what):
        replace_file(path, b"x")
    assert unreadable(path) == f"it is not a regular file but {what}"
    assert (path.lstat().st_ino, [*tmp_path.iterdir()]) == (before.st_ino, [path])
    with pytest.raises(ResultsError, match=what) as caught, explained("read", path):
        read_file(path)
    assert "regular file" in caught.value.hint


def test_a_link_to_a_regular_file_is_as_good_as_that_and_nothing_yet_is_made(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file")
    with open_to_append(link) as file:
        file.write(b"1")
    assert read_file(tmp_path / "file") == read_file(link) == b"1"


def test_nothing_is_written_through_what_lies_at_the_name_of_the_temporary_file(tmp_path):
    """Whoever may write into a folder could have put a link there, to a file that the user would not write to."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / ".f.tmp").symlink_to(precious)
    replace_file(tmp_path / "f", b"new")
    assert (precious.read_text(), (tmp_path / "f").read_bytes()) == ("mine", b"new")
    os.mkfifo(tmp_path / ".f.tmp")
    replace_file(tmp_path / "f", b"newer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "precious"]


def test_a_file_that_was_replaced_keeps_its_permissions(tmp_path):
    path = tmp_path / "f"
    path.write_text("")
    path.chmod(0o640)
    replace_file(path, b"x")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_users_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/models/a.gguf") == Path("/home/me/models/a.gguf")
    assert user_path("a.gguf", tmp_path) == tmp_path / "a.gguf"
    assert user_path("~/a.gguf", tmp_path) == Path("/home/me/a.gguf")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("~no-such-user/a.gguf", "~no-such-user has no home folder"),
        ("x" * 5000, "name too long"),
    ],
)
def test_what_can_be_no_path_is_the_users_mistake(text, said):
    with pytest.raises(UsageError, match=r"(?i)" + said):
        user_path(text)


def test_a_name_that_is_not_utf8_is_found_by_what_is_shown_of_it(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.gguf"))
    path.touch()
    assert user_path(rf"{tmp_path}/caf\xe9.gguf") == path
    assert user_path(r"caf\xe9.gguf", tmp_path) == path
    literally = tmp_path / r"caf\xe9.gguf"
    literally.touch()
    assert user_path(str(literally)) == literally
    assert user_path(rf"{tmp_path}/th\xe9.gguf") == Path(rf"{tmp_path}/th\xe9.gguf")


def test_a_link_that_leads_nowhere_is_not_what_was_meant(tmp_path):
    for name, target in (("loop.yaml", "loop.yaml"), ("gone.yaml", "nothing.yaml")):
        link = tmp_path / name
        link.symlink_to(target)
        assert "is a link that leads to no file" in instead_of(link)


def test_a_zero_byte_is_in_no_name():
    """A manifest can hold one."""
    assert unreadable(user_path("a\0b")) == "no such file"


# What these open by other means lies in /proc or /sys, in our own packages, or in the sandbox; is a folder; is made
# anew and has no name yet that others know; or is a lock, of a file or a folder, and opened without waiting.
# servers/embedded.py is a program without our packages.
BY_OTHER_MEANS = {
    "commands/standard_streams.py", "results/files.py", "results/durable.py", "evaluation/loop/journal.py",
    "evaluation/benchmarks/human_eval/task.py", "evaluation/benchmarks/evalplus/expected.py",
    "evaluation/benchmarks/lcb/programs.py", "processes/bounded_log.py", "processes/guardian.py",
    "processes/process.py", "processes/tree.py", "processes/holder.py", "results/locks.py", "runner/host.py",
    "scripts/events.py", "servers/demo_model.py", "servers/embedded.py", "servers/ports.py", "telemetry/processes.py",
    "telemetry/rapl.py", "telemetry/sampler.py",
    "evaluation/benchmarks/kld/base_cache.py", "results/store/archive_file.py",  # new files in folders of their own
    "evaluation/benchmarks/tasks/coverage.py",  # too
    "engines/carriers/growing_files.py", "engines/carriers/received_files.py",  # no link is followed, nor waited for
    "runner/script/standby.py",  # a new file without a name, and a pipe of its own
    "results/store/reading/run_files.py",  # opened without waiting, and looked at before it is read
}  # fmt: skip


def opens(call: ast.Call) -> bool:
    """Whether it is open(), os.open(), or a method of a Path."""
    called = ast.unparse(call.func)
    if called in {"open", "os.open"}:
        return True
    mode = [*call.args, *(keyword.value for keyword in call.keywords)]
    is_mode = bool(mode) and isinstance(mode[0], ast.Constant) and isinstance(mode[0].value, str)
    return called.endswith((".read_bytes", ".read_text", ".write_bytes", ".write_text")) or (
        called.endswith(".open") and is_mode
    )


def test_files_of_others_are_opened_in_one_place():
    """A new one that is opened elsewhere would wait for a FIFO again."""
    found = set()
    for room in ("commands", "documents", "engines", "evaluation", "parsers", "processes", "results", "runner",
                 "scripts", "servers", "settings", "sweeps", "telemetry"):  # fmt: skip
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Call) and opens(node):
                    found.add(str(path.relative_to(ROOT)))
    inside = "evaluation/benchmarks/lcb/inside.py"  # in the sandbox
    assert found - BY_OTHER_MEANS - {inside} == set()
