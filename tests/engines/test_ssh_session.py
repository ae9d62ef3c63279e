"""What the ssh engine does with machines that refuse, fail, lie or can't be reached; by a stand-in for `ssh`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engines.contract import EndKind
from engines.node.attempt_files import read_node
from engines.node.other_attempts import MARK
from engines.ssh import session
from engines.ssh.engine import Settings, make
from engines.unit import Needs
from results.errors import ServerError, UsageError
from tests.command_line import PROGRAMS, wait_for
from tests.engines.driving import driven_sweep
from tests.leaks import marked_processes
from tests.sweep_runs import TWO_CARDS

pytestmark = pytest.mark.engines


def engine(sweep, how, *, hosts="a", **settings):
    """how: the words of the stand-in."""
    ssh = " ".join([sys.executable, *map(str, how)])
    return make(Settings(hosts=hosts, ssh=ssh, silence_s=30, **settings), sweep.said)


def here(tmp_path, *options):
    return [PROGRAMS / "local_ssh.py", "--home", tmp_path / "homes", *options]


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "how",
    [
        "above", "over a folder", "another attempt", "long", "endless",
    ],
)  # fmt: skip
def test_a_machine_that_was_taken_over_writes_only_into_its_attempt(how, tmp_path, monkeypatch):
    """It is closed, its unit is lost, and nothing else is touched."""
    monkeypatch.setattr(session, "AGAIN_S", (600.0,))
    sweep = driven_sweep(tmp_path)
    sweep.most = 1
    unit = sweep.units.waiting[0].document({})
    ends = sweep.drive(engine(sweep, [PROGRAMS / "hostile_host.py", f"'{how}'"]))
    assert [end.kind for end in ends] == [EndKind.LOST]
    attempt = ends[0].attempt.folder
    assert b'"unit_id"' in (attempt / "unit.json").read_bytes()
    assert unit.unit_id in (attempt / "unit.json").read_text()
    assert not list(tmp_path.rglob("stolen"))
    assert not Path("/tmp/stolen").exists()
    outside = everything_below(tmp_path) - everything_below(attempt)
    assert not {path for path in everything_below(sweep.results) if path.startswith("2")}, (
        "a run was taken over"
    )
    assert outside


def test_what_a_machine_says_can_t_control_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "AGAIN_S", (600.0,))
    sweep = driven_sweep(tmp_path)
    sweep.most = 1
    (end,) = sweep.drive(engine(sweep, [PROGRAMS / "hostile_host.py", "escapes"]))
    assert "\\u001b[2J owned" in end.why


def test_a_machine_that_was_taken_over_gets_no_second_unit(tmp_path, monkeypatch):
    monkeypatch.setattr(session, "AGAIN_S", (0.05,))
    sweep = driven_sweep(tmp_path, models=2)
    with pytest.raises(UsageError, match="is not trusted any more"):
        sweep.drive(engine(sweep, [PROGRAMS / "hostile_host.py", "above"]))
    assert len(list(sweep.results.glob("sweeps/*/units/*/*"))) == 1
    assert sum("is left out: it sent" in line for line in sweep.said.lines) == 1


def test_another_version_is_left_out_and_said(tmp_path):
    sweep = driven_sweep(tmp_path)
    with pytest.raises(UsageError, match="bench_runner there is version 9") as caught:
        sweep.drive(engine(sweep, [PROGRAMS / "hostile_host.py", "newer"]))
    assert "\x1b" not in caught.value.message


def test_machines_that_can_t_be_reached_are_told_with_their_reasons(tmp_path):
    sweep = driven_sweep(tmp_path)
    with pytest.raises(UsageError, match=r"a: ssh ended: .*No route to host; b: ssh ended") as caught:
        sweep.drive(engine(sweep, here(tmp_path, "--down", "a", "--down", "b"), hosts="a,b"))
    assert "ssh ADDRESS true" in caught.value.hint


def test_what_one_machine_can_t_reach_another_does(tmp_path):
    sweep = driven_sweep(tmp_path, models=2, limit=2)
    ends = sweep.drive(engine(sweep, here(tmp_path, "--down", "a"), hosts="a,b"))
    assert [(end.kind, end.place) for end in ends] == [(EndKind.DONE, "b")] * 2
    assert sum("a: ssh ended" in line for line in sweep.said.lines) == 1, "told once, not at each try"


@pytest.mark.parametrize(("lacking", "kinds"), [("a", ["refused", "done"]), ("a b", ["refused", "refused"])])
def test_a_unit_that_one_machine_refuses_goes_to_the_next(lacking, kinds, tmp_path, monkeypatch):
    """A variable is filled in where the run happens. If all machines refuse the unit, there is no other."""
    monkeypatch.setenv("TEST_PROMPT", "be brief")
    sweep = driven_sweep(tmp_path, limit=1, system_prompt="${TEST_PROMPT}")
    options = [word for name in lacking.split() for word in ("--without", f"{name}=TEST_PROMPT")]
    options += ["--after", "b=a/.cache/bench_runner/ssh/*/attempts/*/*/1/end.json"]
    ends = sweep.drive(engine(sweep, here(tmp_path, *options), hosts="a,b"))
    assert [(str(end.kind), end.place) for end in ends] == list(zip(kinds, "ab", strict=True))
    assert ends[0].elsewhere
    assert not ends[1].elsewhere
    assert "TEST_PROMPT is not set" in ends[0].why


def test_needs_that_no_machine_meets_are_refused_and_not_waited_for(tmp_path, monkeypatch):
    sweep = driven_sweep(tmp_path)
    monkeypatch.setitem(sweep.units.waiting[0].__dict__, "needs", Needs(gpus=64, needs_gpus=True))
    (end,) = sweep.drive(engine(sweep, here(tmp_path)))
    assert (end.kind, end.elsewhere) == (EndKind.REFUSED, False)
    assert "64 GPUs" in end.why


def test_a_sweep_stops_when_all_machines_stay_away(tmp_path, monkeypatch):
    """A machine that was there is tried again, but not for ever."""
    monkeypatch.setattr(session, "AGAIN_S", (0.1,))
    monkeypatch.setattr(session, "ALONE_S", 0.5)
    sweep = driven_sweep(tmp_path, limit=50, delay_s=0.1)

    def kill():
        wait_for(
            lambda: [entry for entry in sweep.store.attempts.running() if sweep.here(folder_of(sweep, entry))]
        )
        (tmp_path / "homes" / "a" / "down").touch()
        for pid, words in marked_processes().items():
            if "host_program" in words and " -m " in words:
                os.kill(pid, signal.SIGKILL)

    with ThreadPoolExecutor(1) as threads:
        killing = threads.submit(kill)
        with pytest.raises(ServerError, match="no machine was reachable for 0 minutes: a: "):
            sweep.drive(engine(sweep, here(tmp_path)))
        killing.result()


def folder_of(sweep, entry):
    return sweep.store.attempts.folder(entry.unit_id, entry.number)


def test_variables_go_along_by_name_and_a_missing_one_is_found(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    sweep = driven_sweep(tmp_path)
    found = engine(sweep, here(tmp_path), environment=("NOT_SET_HERE",)).check([])
    assert any("NOT_SET_HERE is not set here" in each.message for each in found)
    assert not any(each.is_error for each in found)


def test_what_an_earlier_coordinator_left_is_ended_before_a_machine_gets_a_unit(tmp_path):
    """It would go on until the machine has missed the coordinator for long enough, beside the next attempt."""
    sweep = driven_sweep(tmp_path, limit=1)
    earlier = sweep.store.partial(sweep.units.take())
    sweep.store.started(earlier, handle=f"a {earlier.name}", place="a")
    left = subprocess.Popen(["/bin/sleep", "600"], env={**os.environ, MARK: earlier.name})
    try:
        with ThreadPoolExecutor(1) as threads:
            reaped = threads.submit(left.wait, 60)
            ends = sweep.drive(engine(sweep, here(tmp_path)))
            assert left.returncode == -signal.SIGTERM
            reaped.result()
    finally:
        left.kill()
    assert [end.kind for end in ends] == [EndKind.LOST, EndKind.DONE]


@pytest.mark.parametrize(("gpus", "seen"), [(0, 0), (1, 1)])
def test_cards_that_hosts_yaml_leaves_out_are_hidden(gpus, seen, tmp_path, monkeypatch, nvml):
    for name, value in nvml(TWO_CARDS).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "hosts.yaml").write_text(f"hosts:\n- address: a\n  gpus: {gpus}\n")
    sweep = driven_sweep(tmp_path, limit=1)
    (end,) = sweep.drive(engine(sweep, here(tmp_path), hosts=str(tmp_path / "hosts.yaml")))
    assert end.kind is EndKind.DONE
    assert len(read_node(end.attempt.folder).cards) == seen


def test_without_ssh_the_error_says_what_to_install():
    with pytest.raises(UsageError) as caught:
        make(Settings(hosts="a", ssh="no-such-ssh -F x"), None)
    assert "openssh-client" in caught.value.hint
