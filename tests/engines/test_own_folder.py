"""Another user of a machine can't plant or change what units are made of there."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext

import pytest

from engines.node import messages
from engines.node.frames import Frames, frame
from engines.node.own_folder import make_own_folder, require_safe_parents
from engines.node.streamed_unit import REFUSED, work
from results.errors import UsageError

NODE = os.uname().nodename
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture(autouse=True)
def _usual_mask():
    before = os.umask(0o002)
    yield
    os.umask(before)


def test_a_new_folder_is_for_this_user_alone_and_is_taken_again(tmp_path):
    for _ in range(2):
        require_safe_parents(tmp_path / "work")
        make_own_folder(tmp_path / "work" / "node")
    assert [(tmp_path / path).stat().st_mode & 0o777 for path in ("work", "work/node")] == [0o700] * 2


def give_away(folder):
    os.chown(folder, 65534, 65534)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: folder.chmod(0o770), "other users can write"),
        (lambda folder: folder.chmod(0o702), "other users can write"),
        (
            lambda folder: folder.rename(folder.with_name("x")).exists() and folder.symlink_to("x"),
            "is a link",
        ),
        pytest.param(give_away, "belongs to another user", marks=as_root),
    ],
)
def test_a_folder_that_others_can_change_is_refused(spoil, why, tmp_path):
    folder = tmp_path / "node"
    folder.mkdir(mode=0o700)
    spoil(folder)
    with pytest.raises(UsageError, match=why) as caught:
        make_own_folder(folder)
    assert "workdir" in caught.value.hint


@pytest.mark.parametrize(
    ("mode", "above", "why"),
    [
        (0o777, 0o755, "other users can write"),
        (0o775, 0o755, "other users can write"),
        (0o700, 0o777, "all users can write"),
        (0o1777, 0o755, ""),
        (0o700, 0o1777, ""),
        (0o755, 0o775, ""),
    ],
)
def test_others_must_not_be_able_to_rename_it(mode, above, why, tmp_path):
    folder = tmp_path / "above" / "work"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    folder.parent.chmod(above)
    with pytest.raises(UsageError, match=why) if why else nullcontext():
        require_safe_parents(folder)


@as_root
def test_a_workdir_of_another_user_is_refused(tmp_path):
    give_away(tmp_path)
    with pytest.raises(UsageError, match="belongs to another user"):
        require_safe_parents(tmp_path)


@pytest.mark.parametrize("name", [NODE, f"{NODE}/attempts", f"{NODE}/models"])
def test_the_host_program_makes_nothing_where_others_can_write(name, tmp_path):
    folder = tmp_path / "work" / name
    folder.mkdir(parents=True)
    for each in (folder, *folder.parents[: len(name.split("/"))]):
        each.chmod(0o755)
    folder.chmod(0o777)
    before = sorted(folder.rglob("*"))
    message = answer(
        messages.Hello(
            workdir=str(tmp_path / "work"), gpus=None, models=(), cache_bytes=1, silence_s=30, environment={}
        )
    )
    assert isinstance(message, messages.Trouble), message
    assert str(folder) in message.why
    assert "workdir" in message.why, "it says what to do"
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert name == NODE or sorted(folder.rglob("*")) == before


def answer(hello):
    """What the host program says first."""
    frames = Frames(messages.FromHost, after_line=True)
    words = [sys.executable, "-m", "engines.node.host_program"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        program.stdin.write(frame(hello))
        program.stdin.flush()
        while data := os.read(program.stdout.fileno(), 1 << 16):
            for message, _ in frames.feed(data):
                if not isinstance(message, messages.Beat):
                    program.stdin.close()
                    return message
    return None


def test_rays_machine_refuses_a_workdir_that_others_can_write_to(tmp_path):
    tmp_path.chmod(0o777)
    order = {"workdir": str(tmp_path), "python": "", "program": (), "words": (), "gpus": 0.0}
    _, said = list(work(order, [], node_id="n", stop=lambda: None))
    assert said[0] == REFUSED
    assert "other users can write" in said[1]
    assert not list(tmp_path.iterdir())
