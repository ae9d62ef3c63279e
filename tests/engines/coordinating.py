"""Work on a driven sweep with the coordinator, as the command does, and read what it noted."""

from __future__ import annotations

import contextlib

from engines.coordinator import Coordinator
from results.store.attempts import Attempts


def coordinated(sweep, engine, **how):
    """Work on the sweep, as the command does."""
    written = sweep.folder.read()
    facts = {"nonce": written.nonce, "may_reduce": written.may_reduce}
    with sweep.folder.claim():
        coordinator = Coordinator(
            sweep.folder,
            sweep.planned,
            engine,
            display=sweep.said,
            held=contextlib.nullcontext,
            **facts,
            **how,
        )
        coordinator.work()
        return coordinator


def journal(sweep, what):
    return [each for each in Attempts(sweep.folder.path).entries() if each.what == what]
