"""Before a sweep starts on other machines, it says what they have, what it would bring there, and what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import msgspec
import pytest

import bench_runner
from engines import registry
from engines.contract import Finding
from engines.node.node_check import NodeCheck, NodeServer
from engines.node_looks import NodeQuestion, findings, look_of, question_for
from results.errors import UsageError
from runner.host import harness_facts
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from sweeps.preflight.checks import preflight
from sweeps.preflight.engine import check_engine, units_of
from tests.command_line import ROOT
from tests.sweep_runs import models
from tests.sweeps.example_engine import Example

EVIL = "evil\x1b[31m\nerror: all is well\u202e"


@pytest.fixture(autouse=True)
def example(monkeypatch):
    monkeypatch.setitem(registry.ENGINES, "slurm", "tests.sweeps.example_engine")
    monkeypatch.setattr(Example, "answers", {})
    monkeypatch.setattr(Example, "found", [])


@pytest.fixture
def manifest(tmp_path):
    models(tmp_path, "a", "b")
    path = tmp_path / "night.yaml"
    path.write_text(
        "engine: {name: slurm, partition: gpu}\n"
        "matrix: {benchmark: [human_eval], model: ['*.gguf'], temperature: [0, 1], gpu_layers: 0}\n"
    )
    return path


def plan_of(path):
    return plan_runs(parse_manifest(path.read_text(), form="yaml", name="night", folder=path.parent))


def machine(**changes) -> bytes:
    found = NodeCheck(
        host={"hostname": "alpha", "gpus": [{"name": "L4"}, {"name": "L4"}]},
        harness=harness_facts(),
        servers=(NodeServer(name="llama-server", ok=True, version="b1"),),
        usable_gpus=2,
        workdir="/w",
        disk_free_bytes=1 << 40,
        models={"/m/a.gguf": 5, "/m/b.gguf": None},
        time=time.time(),
    )
    return msgspec.json.encode(msgspec.structs.replace(found, **changes))


def command(*words: object, capsys) -> tuple[int, str, str]:
    """A command in this process, where the example engine is known."""
    try:
        bench_runner.cli.main([str(word) for word in words], standalone_mode=False)
        code = 0
    except SystemExit as ended:
        code = ended.code
    out = capsys.readouterr()
    return code, out.out, out.err


def test_a_machine_says_what_it_has_and_no_value_of_a_variable(tmp_path):
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    words = NodeQuestion(
        models=(str(tmp_path / "m.gguf"), "/gone.gguf"), variables=("SECRET_KEY", "UNSET_ONE")
    ).words(workdir=str(tmp_path / "not" / "yet"), model_folders=[str(tmp_path), "/gone"])
    asked = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "engines.node.node_check", *words],
        cwd=ROOT, capture_output=True, check=True, env={"PATH": "/usr/bin:/bin", "SECRET_KEY": "abc123456"},
    )  # fmt: skip
    look = look_of("here", b"a shell's greeting\n" + done.stdout, asked=asked, answered=time.time())
    check = look.check
    assert check.harness == harness_facts()
    assert check.models == {str(tmp_path / "m.gguf"): 4, "/gone.gguf": None}
    assert check.folders == {str(tmp_path): 1, "/gone": None}
    assert check.variables == {"SECRET_KEY": True, "UNSET_ONE": False}
    assert check.disk_free_bytes > 0
    assert look.clock_s == 0.0
    assert b"abc123456" not in done.stdout
    assert [each.message for each in findings([look])] == ["the variable UNSET_ONE is not set there"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"harness": {"version": "0", "commit": "x"}}, "bench_runner there is 0"),
        ({"time": 7200.0}, "its clock is 3600 s ahead"),
        ({"disk_free_bytes": 5 << 20}, "only 5 MiB are free in /w"),
        ({"servers": ()}, "it has no llama-server and no llama.cpp in Python"),
    ],
)
def test_what_is_wrong_with_a_machine_is_a_finding(changes, why, manifest):
    now = 3600.0
    look = look_of("alpha", machine(**{"time": now, **changes}), asked=now, answered=now)
    found = findings([look], units_of(plan_of(manifest)))
    assert why in found[0].message
    assert found[0].place == "alpha"


def test_an_error_is_only_what_no_machine_can_do(manifest):
    now = time.time()
    looks = [
        look_of("alpha", b"bash: python: not found", asked=now, answered=now),
        look_of("beta", machine(), asked=now, answered=now),
    ]
    assert [each.is_error for each in findings(looks)] == [False]
    last = findings(looks[:1])[-1]
    assert last.is_error
    assert last.message.startswith(
        "none of the machines can do these runs: alpha: it answered something else"
    )
    assert question_for(units_of(plan_of(manifest))).models == tuple(
        str(manifest.parent / f"{name}.gguf") for name in "ab"
    )


def test_the_dry_run_shows_units_and_findings_and_starts_nothing(manifest, capsys, monkeypatch):
    results = manifest.parent / "results"
    words = ("sweep", manifest, "--dry-run", "--results-dir", results)
    monkeypatch.setattr(
        Example, "found", [Finding(message="partition gpu is drained", place=EVIL, is_error=False)]
    )
    code, out, _ = command(*words, capsys=capsys)
    assert code == 0
    lines = out.splitlines()
    start = lines.index("on slurm: 2 units of work, each on one server")
    assert lines[start + 2].split("\t")[:3] == ["1", "2", "a human_eval temperature=0"]
    assert "\x1b[31m" not in out
    assert not any(line.startswith("error: all is well") for line in lines)
    assert any(line.startswith("warning: evil") and "partition gpu is drained" in line for line in lines)
    monkeypatch.setattr(Example, "found", [Finding(message="no such partition", hint="see sinfo")])
    code, out, _ = command(*words, "--json", capsys=capsys)
    said = json.loads(out)
    assert (code, said["ok"], said["engine"]["name"]) == (2, False, "slurm")
    assert [len(unit["runs"]) for unit in said["engine"]["units"]] == [2, 2]
    assert said["engine"]["findings"][0]["text"] == "no such partition"
    assert not results.exists()


def test_an_error_of_the_engine_starts_nothing(manifest, monkeypatch):
    monkeypatch.setattr(Example, "found", [Finding(message="no such partition", hint="see sinfo")])
    with pytest.raises(UsageError, match="no such partition"):
        bench_runner.cli.main(
            ["sweep", str(manifest), "--results-dir", str(manifest.parent / "r")], standalone_mode=False
        )
    assert not (manifest.parent / "r").exists()


def test_what_this_machine_lacks_is_no_finding_for_others(manifest):
    plan = plan_of(manifest)
    found = preflight(plan, results_dir=manifest.parent, elsewhere=True)
    assert found.findings == ()
    assert {need.fits for need in found.needs} == {"unknown"}
    check = check_engine(registry.make_engine("slurm", None, None), plan, found)
    assert [unit.needs.gpus for unit in check.units] == [0, 0]


def test_engines_check_prints_machines_whatever_they_say(manifest, capsys, monkeypatch):
    evil = {"hostname": EVIL, "gpus": [{"name": EVIL}, 7, {"name": ["x"]}]}
    answers = {"alpha": machine(), EVIL: machine(host=evil), "gamma": EVIL.encode()}
    monkeypatch.setattr(Example, "answers", answers)
    code, out, _ = command("engines", "check", manifest, capsys=capsys)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split("\t") == [
        "machine",
        "bench_runner",
        "servers",
        "GPUs",
        "models",
        "free disk",
        "clock",
    ]
    alpha = lines[1].split("\t")
    assert alpha[2:5] == ["llama-server b1", "2 x L4", "1 of 2 at their path"]
    assert alpha[6] == "right"
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert not any(line.startswith("error:") for line in lines)
    code, out, _ = command("engines", "check", manifest, "--json", capsys=capsys)
    assert code == 0
    assert [each["place"] for each in json.loads(out)["machines"]] == list(answers)


def test_engines_check_without_an_engine_says_what_to_give(capsys):
    with pytest.raises(UsageError, match="no other machines"):
        command("engines", "check", capsys=capsys)
