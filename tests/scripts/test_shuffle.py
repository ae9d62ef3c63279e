"""`--shuffle`: the samples of all runs in one random order, so that their first N are the same and no biased choice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from evaluation.loop.requests import shuffled
from evaluation.protocols import Sample
from tests.evaluation.running_servers import canonical_server

ROOT = Path(__file__).parents[2]


def run(url, output, *options):
    return subprocess.run(
        [sys.executable, "-m", "scripts.run_human_eval", "--base-url", url, "--model", "m", "--output", str(output),
         "--prompt-style", "completion", *map(str, options)],
        capture_output=True, text=True, cwd=ROOT, timeout=100, check=False,
    )  # fmt: skip


def asked_for(output):
    return {json.loads(line)["task_id"] for line in (output / "completions.jsonl").read_text().splitlines()}


def test_the_order_depends_on_the_seed_and_the_ids_alone():
    samples = [Sample(task_id=f"T/{number}", data={}) for number in range(50)]
    order = [sample.task_id for sample in shuffled(samples, 1)]
    assert order == [sample.task_id for sample in shuffled(samples[::-1], 1)]
    assert (
        order != [sample.task_id for sample in shuffled(samples, 2)] != [sample.task_id for sample in samples]
    )
    some = {sample.task_id for sample in samples[:30]}
    assert [name for name in order if name in some] == [
        sample.task_id for sample in shuffled(samples[:30], 1)
    ]


def test_the_first_samples_of_an_order_stay_when_the_limit_grows_and_another_order_is_refused(tmp_path):
    """A race goes through the samples in rounds; each goes on where the last one ended."""
    with canonical_server() as url:
        assert run(url, tmp_path, "--shuffle", 7, "--limit", 4).returncode == 0
        first = asked_for(tmp_path)
        assert len(first) == 4
        assert first != {f"HumanEval/{number}" for number in range(4)}
        assert run(url, tmp_path, "--shuffle", 7, "--limit", 9).returncode == 0
        assert first < asked_for(tmp_path)
        assert len(asked_for(tmp_path)) == 9
        other = run(url, tmp_path, "--shuffle", 8, "--limit", 9)
    assert other.returncode == 6
    assert "shuffle was 7 and is now 8" in other.stderr
