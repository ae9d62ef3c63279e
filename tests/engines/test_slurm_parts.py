"""What the Slurm engine asks for and writes, without a cluster."""

from __future__ import annotations

import errno
import os
import subprocess
import threading

import pytest

from engines.contract import Attempt, EndKind
from engines.node.attempt_files import NodeEnd, write_end
from engines.slurm import commands
from engines.slurm.claim import UNKNOWN, ask_to_stop, claim, is_asked_to_stop, is_cancelled, read_claim
from engines.slurm.commands import DeclinedError, ListedJob, job_environment
from engines.slurm.engine import FIELDS, Settings, make
from engines.slurm.job import only_given
from engines.slurm.job_script import Resources, job_options, script_text
from engines.slurm.looking import kinds_of
from engines.slurm.nodes import away_nodes
from engines.slurm.watch import Handle, Watch
from engines.unit import Needs, Unit
from results.errors import UsageError
from telemetry.contract import DeviceFacts
from tests.engines.driving import Said

GIB = 1 << 30


def gpus(count):
    return tuple(
        DeviceFacts(uuid=f"GPU-{number}", kind="nvidia", name="Card", index=number) for number in range(count)
    )


def test_every_setting_is_explained():
    assert set(FIELDS) == set(Settings.__struct_fields__)


def test_a_claim_is_given_to_exactly_one_of_many(tmp_path):
    """Two jobs never do the same attempt, whichever way a submission was repeated."""
    got = []
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        got.append((number, claim(tmp_path, f"7_{number}")))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number, other in got if other is None]
    assert len(winners) == 1
    assert {other.job for _, other in got if other is not None} == {f"7_{winners[0]}"}
    assert read_claim(tmp_path).job == f"7_{winners[0]}"
    assert [path.name for path in tmp_path.iterdir()] == ["slurm.json"]


def test_a_disk_without_links_has_claims_too(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EOPNOTSUPP, "no links")

    monkeypatch.setattr(os, "link", no_links)
    assert claim(tmp_path, "7_0") is None
    assert claim(tmp_path, "7_1").job == "7_0"
    assert [path.name for path in tmp_path.iterdir()] == ["slurm.json"]


def test_a_requeued_job_finds_its_own_claim_taken(tmp_path):
    """Its first start may still be writing, on a node that Slurm lost."""
    assert claim(tmp_path, "7_0", node="n1") is None
    assert claim(tmp_path, "7_0", node="n2", restarts=1).node == "n1"


@pytest.mark.parametrize("node", ["n1,n2", "n[1-99]", "/etc/hosts", "--me", "n1 n2", "ALL\n", "n" * 300])
def test_a_node_that_lies_about_its_name_or_job_gives_slurm_nothing_to_do(tmp_path, node):
    """They become words of sbatch and scancel."""
    assert claim(tmp_path, node, node=node) is None
    there = read_claim(tmp_path)
    assert (there.job, there.node) == (UNKNOWN, "")


def test_handles_are_read_back():
    for handle in (Handle("bench-1", 3), Handle("bench-1", 3, "99")):
        assert Handle.read(str(handle)) == handle
    assert Handle("bench-1", 3, "99").job == "99_3"
    for text in ("", "10.0.0.1", "a/b", "raytask", "/1"):
        assert Handle.read(text) is None


def test_jobs_ask_for_what_their_unit_needs():
    settings = Settings(partition="gpu", account="lab", time="2:00:00", options=("--qos=high",))
    needs = Needs(gpus=2, needs_gpus=True, memory_bytes=5 * GIB + 1)
    options = job_options(settings, Resources.of(needs, settings, has_gpus=True))
    for option in (
        "--partition=gpu",
        "--account=lab",
        "--time=2:00:00",
        "--gres=gpu:2",
        "--mem=8G",
        "--qos=high",
    ):
        assert option in options
    assert "--no-requeue" in options  # a requeued job would run an attempt a second time
    assert not any(
        option.startswith("--gres")
        for option in job_options(settings, Resources.of(needs, settings, has_gpus=False))
    )


@pytest.mark.parametrize(
    ("gres", "given"),
    [("gpu:a100", "--gres=gpu:a100:1"), ("gpu:a100:4", "--gres=gpu:a100:4"), ("none", None)],
)
def test_gpus_by_the_name_that_the_cluster_gives_them(gres, given):
    settings = Settings(gres=gres)
    options = job_options(settings, Resources.of(Needs(gpus=1), settings, has_gpus=True))
    assert [each for each in options if "gres" in each] == ([given] if given else [])


def test_the_script_reads_its_attempt_by_index_whatever_the_paths_are(tmp_path):
    odd = tmp_path / 'it\'s $HOME; "a" & b'
    for name in ("0", "1"):
        (odd / name).mkdir(parents=True)
    listed = odd / "list"
    listed.write_text(f"{odd / '0'}\n{odd / '1'}\n")
    settings = Settings(python="/bin/echo", checkout=str(odd), setup=("echo set up",), models=("/m o",))
    script = script_text(listed, settings, 2)
    environment = {"SLURM_ARRAY_TASK_ID": "1", "PATH": os.environ["PATH"]}
    assert subprocess.run(["bash", "-c", script], env=environment, check=False).returncode == 0
    said = (odd / "1" / "unit.log").read_text().splitlines()
    assert said == ["set up", f"-m engines.slurm.job --models /m o --gpus 2 {odd / '1'}"]
    assert not any((odd / "0").iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        {"options": ("--array=0-9",)},
        {"options": ("--export=ALL",)},
        {"options": ("--arra=0-3",)},
        {"options": ("--expor=ALL",)},
        {"options": ("--",)},
        {"options": ("-Qva0-3",)},
        {"options": ("-o/tmp/x",)},
        {"options": ("requeue",)},
        {"setup": ("export HF_TOKEN=hf_abcdefgh",)},
        {"setup": ("a\0b",)},
        {"environment": ("OPENAI_API_KEY",)},
    ],
)
def test_settings_that_break_it_or_hold_a_secret_are_refused(settings):
    with pytest.raises(UsageError) as refused:
        make(Settings(**settings), Said())
    assert refused.value.hint
    assert "hf_abcdefgh" not in refused.value.message + refused.value.hint


def test_options_of_ones_own_go_along():
    for option in ("--begin=now+1hour", "-H", "-Qpgpu", "--exclusive", "--ntasks-per-node=1", "-k"):
        make(Settings(options=(option,)), Said())


def test_only_named_variables_go_along():
    """Slurm keeps a job's environment on its disk."""
    environment = {
        "HOME": "/h",
        "PATH": "/p",
        "OPENAI_API_KEY": "k",
        "ODD": "1",
        "CUDA_HOME": "/c",
        "SLURM_JOB_ID": "9",
    }
    assert job_environment(("CUDA_HOME",), environment) == {"HOME": "/h", "PATH": "/p", "CUDA_HOME": "/c"}


def test_a_job_shows_only_the_gpus_that_slurm_gave_it():
    # Slurm doesn't hide the others: by its numbers.
    assert only_given(gpus(4), 2, {"SLURM_JOB_GPUS": "1,3"}) == {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-3"}
    # It does, and they count from 0 in the job.
    assert only_given(gpus(2), 2, {"SLURM_JOB_GPUS": "4,5"}) == {}
    assert only_given(gpus(4), 1, {"SLURM_JOB_GPUS": "2", "CUDA_VISIBLE_DEVICES": "2"}) == {}
    # A job without any sees none.
    assert only_given(gpus(4), 0, {}) == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert only_given((), 0, {}) == {}


@pytest.mark.parametrize(
    ("there", "asked", "environment"),
    [
        (4, 2, {}),  # Slurm knows of no GPUs for it
        (4, 1, {"SLURM_JOB_GPUS": "0,1"}),
        (0, 1, {"SLURM_JOB_GPUS": "0"}),  # the driver doesn't see it
        (4, 1, {"SLURM_JOB_GPUS": "7"}),
        (4, 2, {"SLURM_JOB_GPUS": "0,1", "CUDA_VISIBLE_DEVICES": "0"}),
    ],
)
def test_a_unit_whose_gpus_dont_match_is_refused(there, asked, environment):
    with pytest.raises(UsageError):
        only_given(gpus(there), asked, environment)


@pytest.mark.parametrize(
    ("said", "is_limit", "is_needs", "is_array"),
    [
        ("Requested node configuration is not available", False, True, False),
        ("Memory specification can not be satisfied", False, True, False),
        (
            "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
            True,
            False,
            False,
        ),
        ("Requested time limit is invalid (missing or exceeds some limit)", False, False, False),
        ("Invalid job array specification", False, False, True),
        ("Invalid partition name specified", False, False, False),
        ("Invalid account or account/partition combination specified", False, False, False),
    ],
)
def test_what_slurm_declines_is_told_apart(said, is_limit, is_needs, is_array):
    error = DeclinedError(said)
    assert (error.is_limit, error.is_needs, error.is_array) == (is_limit, is_needs, is_array)


def test_nodes_that_are_alike_are_looked_at_once_where_there_is_place():
    """Whatever partitions they are in, and whether they answer."""
    rows = [
        ("a1", "allocated", "(null)", "64", "512000", "gpu:a100:8(S:0-1)"),
        ("a2", "mixed", "(null)", "64", "512000", "gpu:a100:8(S:0-1)"),
        ("a2", "mixed", "(null)", "64", "512000", "gpu:a100:8(S:0-1)"),
        ("c1", "down*", "big", "128", "1024000", "(null)"),
    ]
    cards, plain = kinds_of(rows)
    assert (cards.first, cards.names, cards.is_free, cards.gpus) == ("a2", ("a1", "a2"), True, 8)
    assert (plain.place, plain.is_free, plain.state, plain.gpus) == ("c1", False, "down", 0)


def test_only_nodes_that_could_do_it_are_waited_for():
    """Those that are down, or say nothing; whoever asks for more than any has is told at once."""
    rows = [
        ("up", "idle", "(null)", "8", "999000", "gpu:a100:8"),
        ("silent", "idle*", "(null)", "8", "64000", "(null)"),
        ("dead", "down*", "(null)", "8", "64000", "gpu:a100:4(S:0-1),gpu:t4:1"),
        ("dead", "down*", "(null)", "8", "64000", "gpu:a100:4(S:0-1),gpu:t4:1"),  # in another partition too
        ("small", "drained", "(null)", "2", "8000", "gpu:2"),
    ]

    def waited(gpus=None, memory_gib=0, without=(), **settings):
        resources = Resources(gpus=gpus, memory_gib=memory_gib, without=without)
        return [each.partition(" ")[0] for each in away_nodes(rows, Settings(**settings), resources)]

    assert away_nodes(rows[1:2], Settings(), Resources(None, 0)) == ["silent (idle*)"]
    assert waited() == ["silent", "dead", "small"]
    assert waited(without=("dead",)) == ["silent", "small"]
    assert waited(memory_gib=8) == waited(memory="8G") == waited(cpus=4) == ["silent", "dead"]
    assert waited(memory="900G") == waited(memory="1T") == []
    assert waited(gpus=1) == ["dead", "small"]
    assert waited(gpus=5) == ["dead"]
    assert waited(gpus=2, gres="gpu:a100") == waited(gres="gpu:a100:4", gpus=1) == ["dead"]
    assert waited(gpus=2, gres="gpu:t4") == waited(gpus=1, gres="gpu:h100") == []


def listed(job, state, node="", name="bench-1", used="0:00"):
    return ListedJob(job=job, state=state, node=node, name=name, used=used, reason="None")


@pytest.fixture
def gives_up_at_once(monkeypatch):
    monkeypatch.setattr("engines.slurm.watch.STOPS_S", 0.0)


@pytest.mark.usefixtures("gives_up_at_once")
@pytest.mark.parametrize(
    ("node", "used", "left", "kind"),
    [
        ("n1", "0:00", "", EndKind.LOST),  # the node could not begin it
        ("n1", "0:09", "", EndKind.LOST),  # slowly
        ("n1", "0:00", "claim", EndKind.LOST),  # it runs there already: a controller has forgotten it
        ("n1", "0:00", "claim and end", EndKind.LOST),
        ("", "0:00", "", EndKind.CANCELLED),  # by somebody, while it waits
        ("n1", "0:09", "claim and end", EndKind.CANCELLED),  # by somebody, while it runs
        ("n1", "0:09", "claim", EndKind.CANCELLED),
    ],
)
def test_a_job_that_slurm_itself_cancels_goes_on_and_one_that_somebody_cancels_does_not(
    tmp_path, node, used, left, kind
):
    watch = Watch(Settings(settle_s=0.0), Said())
    watch.add(attempt_in(tmp_path), Handle("bench-1", 0, "7"))
    if left:
        (tmp_path / "unit.log").touch()
        claim(tmp_path, "7_0", node=node)
    if "end" in left:
        write_end(tmp_path, NodeEnd(kind=EndKind.CANCELLED, why="interrupted by SIGTERM"))
    watch.take([listed("7_0", "CANCELLED", node, used=used)])
    watch._ask_s = float("inf")
    (end,) = watch.look()
    assert end.kind is kind
    if not left:
        assert claim(tmp_path, "7_0").job == ""  # should it begin after all


@pytest.mark.parametrize(("state", "at_once"), [("NODE_FAIL", True), ("", False), ("FAILED", False)])
def test_a_program_that_slurm_lost_is_asked_to_stop_and_what_it_did_until_then_counts(
    tmp_path, state, at_once
):
    """Its attempt is not given up before: another one would make the same answers again."""
    watch = Watch(Settings(settle_s=1000.0), Said())
    watch.add(attempt_in(tmp_path), Handle("bench-1", 0, "7"))
    claim(tmp_path, "7_0", node="n1")
    watch.take([listed("7_0", state, "n1", used="0:09")] if state else [])
    watch._ask_s = float("inf")
    assert not list(watch.look())
    assert is_asked_to_stop(tmp_path) is at_once
    if at_once:
        write_end(tmp_path, NodeEnd(kind=EndKind.CANCELLED, why="stopped by SIGTERM"))
        (end,) = watch.look()
        assert (end.kind, end.why) == (EndKind.LOST, "job 7_0 is gone (NODE_FAIL)")
    ask_to_stop(tmp_path, lost=True)
    assert not is_cancelled(tmp_path)
    ask_to_stop(tmp_path)
    ask_to_stop(tmp_path, lost=True)
    assert is_cancelled(tmp_path)


def test_a_number_that_a_controller_gave_again_is_not_taken_for_ours(tmp_path):
    """One that was killed may come back without its newest jobs."""
    watch = Watch(Settings(settle_s=0.0), Said())
    watch.add(attempt_in(tmp_path), Handle("bench-1", 0, "7"))
    watch.take([listed("7_0", "RUNNING", "n1", name="bench-2")])
    watch._ask_s = float("inf")
    (end,) = watch.look()
    assert end.kind is EndKind.LOST


def attempt_in(folder):
    unit = Unit(unit_id="u", sweep_id="s", nonce="", may_reduce=False, total=0, todo=())
    return Attempt(unit=unit, number=1, folder=folder)


def test_without_slurms_programs_the_check_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    (found,) = make(Settings(), Said()).check([])
    assert found.is_error
    assert "sbatch" in found.message
    assert "login node" in found.hint
    with pytest.raises(UsageError, match="squeue"):
        commands.listed_jobs()


def test_a_cancelled_attempt_has_ended_though_the_controller_is_away(tmp_path, monkeypatch):
    """It has written its end, and was told to; nobody is there to say that its job is gone too."""
    programs = tmp_path / "bin"
    programs.mkdir()
    squeue = programs / "squeue"
    squeue.write_text(
        "#!/bin/sh\necho 'slurm_load_jobs error: Unable to contact slurm controller' >&2\nexit 1\n"
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    watch = Watch(Settings(), Said())
    for name in ("told", "untold", "goes on"):
        folder = tmp_path / name
        folder.mkdir()
        unit = Unit(unit_id=name, sweep_id="s", nonce="", may_reduce=False, total=0, todo=())
        watch.add(Attempt(unit=unit, number=1, folder=folder), Handle("bench-1", len(watch.jobs), "7"))
        if name != "goes on":
            write_end(folder, NodeEnd(kind=EndKind.CANCELLED))
        if name != "untold":
            ask_to_stop(folder)
    watch._ask_s = 0.0
    assert [(end.attempt.unit.unit_id, end.kind) for end in watch.look()] == [("told", EndKind.CANCELLED)]
