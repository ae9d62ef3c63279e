"""Sweeps on Slurm that a test drives, and what it waits for."""

from __future__ import annotations

import collections
import contextlib
import json
import threading
import time

from engines.contract import EndKind
from engines.slurm.engine import Settings, make
from tests.engines.driving import driven_sweep
from tests.sweep_runs import models, server, stored


def engine(sweep, **settings):
    return make(Settings(**{"gres": "none", "poll_s": 1.0, "settle_s": 1.0, **settings}), sweep.said)


def completions_of(sweep, count):
    """Wait until the servers have been asked so often."""
    wait_for(lambda: len(sweep.generated()) >= count)


def here(sweep):
    """How many completions the attempts have so far."""
    return sum(
        sweep.here(sweep.store.attempts.folder(each.unit_id, each.number))
        for each in sweep.store.attempts.running()
    )


def wait_for(happened):
    deadline = time.monotonic() + 100
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def driving(sweep, slurm):
    """Drive it beside the test, which does to the cluster what may happen to one. Yields the ends so far.

    What had come back of an attempt that was lost is never asked again.
    """
    ends, raised, back = [], [], set()

    def ended(end):
        ends.append(end)
        if end.kind is EndKind.LOST:
            back.update(stored(sweep.results))

    def work():
        try:
            sweep.drive(slurm, on_end=ended)
        except BaseException as error:  # noqa: BLE001 - raised again by the test
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ends
    finally:
        thread.join(100)
    assert not thread.is_alive()
    if raised:
        raise raised[0]
    asked = collections.Counter(sweep.generated())
    assert {name: asked[name] for name in back if asked[name] != 1} == {}


def samples(sweep):
    """How many were scored, in all runs."""
    return sum(len(answers) for _, answers in sweep.scores().values())


def one_unit(tmp_path, limit=8):
    return driven_sweep(tmp_path, models=1, limit=limit, delay_s=0.2)


def written_sweep(tmp_path, *options, limit=40):
    """A manifest of one run on Slurm."""
    manifest = {
        "engine": {"name": "slurm", "gres": "none", "poll_s": 1, "settle_s": 1},
        "defaults": {
            "server_command": server(tmp_path / "answered", *options)[1],
            "limit": limit,
            "parallel": 1,
            "prompt_style": "chat",
        },
        "matrix": {"model": list(map(str, models(tmp_path / "models", "a"))), "benchmark": ["human_eval"]},
    }
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(manifest))
    return path
