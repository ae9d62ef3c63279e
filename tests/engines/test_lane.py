"""An engine needs the runs, a folder and two facts; it knows no sweep's plan on disk."""

from __future__ import annotations

import contextlib
import datetime as dt
import json

from engines.cards import Cards
from engines.lane import Lane
from engines.planned_run import PlannedRun
from results.errors import UsageError
from results.store.sweep_folder import SweepFolder
from settings.asked import Asked
from telemetry.devices import usable_gpus


class Said:
    """A display that keeps what it is told."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def test_a_lane_works_without_what_a_sweep_keeps(tmp_path):
    folder = SweepFolder.create(tmp_path, "x", dt.datetime.now(dt.UTC))
    broken = PlannedRun(
        index=0,
        label="gone",
        asked=Asked({"benchmark": "human_eval", "model": "gone.gguf"}),
        spec=None,
        group="g",
        needs={},
        error=UsageError("it is gone"),
    )
    said = Said()
    lane = Lane(
        folder,
        [broken],
        nonce="ab12",
        may_reduce=False,
        cards=Cards(usable_gpus(), 1),
        display=said,
        held=contextlib.nullcontext,
    )
    lane.work()
    (record,) = json.loads((tmp_path / "benchmark_results.json").read_text())["runs"]
    assert (record["status"], record["error"]["message"]) == ("failed", "it is gone")
    assert (record["sweep"]["sweep_id"], record["sweep"]["nonce"]) == (folder.sweep_id, "ab12")
    assert not (folder.path / "sweep.json").exists()
    assert "failed: it is gone" in said.lines
