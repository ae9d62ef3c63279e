"""`watch-build` as a user runs it: a baseline first, an alarm for a damaged build only, and the first bad build."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.command_line import PROGRAM, PROGRAMS, bench_runner, lines, logged, wait_for
from tests.sweep_runs import models, own_devices

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]


class Watched:
    """A model, and a build of its server that can be replaced."""

    def __init__(self, folder):
        self.results = folder / "r"
        (self.model,) = models(folder / "m", "a")
        self.build = folder / "build.sh"
        self.replace()

    def replace(self, wrong: float = 0.0, *more: str) -> None:
        words = f"--port $1 --wrong {wrong} --salt x {' '.join(more)}"
        new = self.build.with_suffix(".new")
        new.write_text(f"exec {sys.executable} {PROGRAMS / 'canonical_server.py'} {words}\n")
        new.replace(self.build)

    def words(self, *more: object) -> list[object]:
        command = f"sh {self.build} {{port}}"
        settings = ("--benchmark", "human_eval", "--model", self.model, "--server-command", command)
        return ["watch-build", *settings, "--results-dir", self.results, *more]

    def look(self, *more: object):
        # How fast a program is that answers at once depends on what else the machine does.
        judged = () if "--alarm-on" in more else ("--alarm-on", "score,answers")
        done = bench_runner(*self.words("--json", *judged, *more))
        return done.code, json.loads(done.out) if done.out else done.err

    @property
    def runs(self) -> int:
        return len(logged(self.results))


@pytest.fixture
def watch(tmp_path):
    return Watched(tmp_path)


def test_a_baseline_then_nothing_new_then_a_good_build_and_a_damaged_one(watch, tmp_path):
    told = tmp_path / "told"
    code, first = watch.look("--limit", 40, "--notify", f"sh -c 'echo {{status}} >> {told}'")
    assert (code, first["state"], len(first["baseline"])) == (0, "recorded", 2)
    code, again = watch.look()
    assert (code, again["state"], again["baseline"], watch.runs) == (0, "unchanged", first["baseline"], 2)
    watch.replace(0.0)
    code, good = watch.look()
    assert (code, good["state"], good["alarms"], good["baseline"]) == (0, "looked", [], first["baseline"])
    assert watch.runs == 3
    watch.replace(0.8)
    code, bad = watch.look("--notify", f"sh -c 'echo {{status}} >> {told}'")
    assert (code, bad["alarms"][0]) == (8, "score"), bad
    assert bad["lost"] > 15
    assert told.read_text().split() == ["succeeded", "alarm"]
    runs = watch.runs
    code, same = watch.look()
    assert (code, same["alarms"], watch.runs) == (8, bad["alarms"], runs), (
        "the alarm stays, without another run"
    )
    code, accepted = watch.look("--accept")
    assert (code, accepted["state"]) == (0, "recorded")
    assert accepted["baseline"][0] in bad["new"]
    refused = bench_runner(*watch.words("--limit", 50))
    assert refused.code == 2
    assert "that of the baseline is 40" in refused.err


def test_a_run_that_is_there_is_the_baseline_and_one_can_be_named(watch):
    settings = watch.words("--limit", 20)[1:]
    assert bench_runner("run", *settings, "--label", "good").code == 0
    watch.replace(0.9)
    code, found = watch.look("--limit", 20, "--alarm-on", "score")
    assert (code, found["alarms"]) == (8, ["score"]), found
    assert watch.look("--baseline", found["new"][0])[1]["state"] == "recorded"
    assert watch.look("--baseline", "good", "--alarm-on", "score")[0] == 8


def test_after_a_kill_the_same_command_comes_to_the_same_end(watch):
    watch.look("--limit", 30)
    watch.replace(0.8, "--delay 0.2")
    with subprocess.Popen([PROGRAM, *map(str, watch.words())], stderr=subprocess.DEVNULL) as process:
        try:
            paths = set(watch.results.glob("*/completions.jsonl"))
            wait_for(
                lambda: any(lines(path) for path in set(watch.results.glob("*/completions.jsonl")) - paths),
                60,
            )
        finally:
            os.kill(process.pid, signal.SIGKILL)
    assert watch.runs == 2
    code, found = watch.look()
    assert (code, found["alarms"][0], found["lost"] > 15) == (8, "score", True)
    (new,) = {path.parent.name for path in watch.results.glob("*/completions.jsonl")} - set(found["baseline"])
    assert found["new"] == [new], "the killed run went on"


def test_of_several_builds_the_first_bad_one_is_found(tmp_path):
    """One is broken, another was bad and repaired: both are said."""
    (model,) = models(tmp_path / "m", "a")
    for number in range(1, 9):
        build = tmp_path / "builds" / f"b{number}" / "llama-server"
        build.parent.mkdir(parents=True)
        wrong = 0.8 if number in {2, 6, 7, 8} else 0.0
        broken = "exit 3\n" if number == 5 else ""
        build.write_text(f"""#!/bin/sh
[ "$1" = --version ] && {{ echo "version: {number + 100} (abc)"; exit 0; }}
{broken}while [ $# -gt 0 ]; do case $1 in --port) port=$2;; --alias) name=$2;; esac; shift; done
exec {sys.executable} {PROGRAMS / "canonical_server.py"} --port $port --name $name --wrong {wrong} --salt x
""")
        build.chmod(0o700)
    settings = ["--benchmark", "human_eval", "--model", model, "--limit", 20, "--results-dir", tmp_path / "r"]
    second = tmp_path / "builds" / "b2" / "llama-server"
    assert bench_runner("run", *settings, "--server-binary", second).code == 0
    words = ("watch-build", *settings, "--binaries", tmp_path / "builds" / "*" / "llama-server")
    done = bench_runner(*words, "--alarm-on", "score", "--json")
    assert done.code == 8, done.err
    found = json.loads(done.out)
    assert found["order"] == "their versions"
    verdicts = [build["verdict"] for build in found["builds"]]
    assert (found["last_good"], found["first_bad"], found["between"]) == (3, 5, [4])
    assert (found["out_of_order"], verdicts[4], found["step"]) == ([1], "skipped", True)


@pytest.mark.timeout(400)
def test_a_damaged_build_of_the_real_server_is_found(tmp_path, llama_server_binary, demo_model):
    """The last build reads the model's positions wrongly, which changes nearly every answer."""
    for number in (1, 2):
        build = tmp_path / f"b{number}" / "llama-server"
        build.parent.mkdir()
        damage = "" if number == 1 else "--rope-freq-base 1000"
        build.write_text(f"""#!/bin/sh
[ "$1" = --version ] && {{ echo "version: {number} (abc)"; exit 0; }}
exec {llama_server_binary} "$@" {damage}
""")
        build.chmod(0o700)
    tasks, each = tmp_path / "tasks.json", {"test_cases": [{"input": "", "expected_output": "1"}]}
    asked = [{"id": f"t{number}", "difficulty": "easy", "prompt": f"Print {number}."} for number in range(11)]
    tasks.write_text(json.dumps({"version": "1", "tasks": [{**task, **each} for task in asked]}))
    settings = ["--benchmark", "tasks", "--tasks", tasks, "--max-tokens", 20, "--parallel", 1]
    done = bench_runner(
        "watch-build", *settings, "--model", demo_model, "--binaries", tmp_path / "b*" / "llama-server",
        "--alarm-on", "answers", "--json", "--results-dir", tmp_path / "r", "--", "-t", 1,
        timeout=400,
    )  # fmt: skip
    assert done.code == 8, done.err
    found = json.loads(done.out)
    assert (found["first_bad"], found["alarms"]) == (1, ["answers"]), found
