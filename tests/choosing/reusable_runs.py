"""Record a run as if one had been made here a moment ago, so that asking for it starts nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

from results.records import ServerFacts
from runner.fingerprint import fingerprint
from runner.host import harness_facts, host_facts
from runner.request import build_spec
from servers.launch import plan
from servers.models import identity
from tests.results.recorded_runs import record_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from results.records import Outcome
    from results.store.run_folder import RunFolder
    from settings.asked import Asked

_LATER = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)  # than any change of a program
_seconds = itertools.count()


def reusable_run(
    results_dir: Path,
    asked: Asked,
    outcomes: Sequence[Outcome],
    *,
    before_its_build: bool = False,
    **facts: Any,
) -> RunFolder:
    """Each is newer than the last. before_its_build: the server's program was replaced since, so it is not reused."""
    spec = build_spec(asked)
    model = spec.server.model
    assert model is not None
    shown = plan(dataclasses.replace(spec.server, port=None), nonce="0").shown
    when = _LATER + dt.timedelta(seconds=next(_seconds), hours=-2 * before_its_build)
    return record_run(
        results_dir,
        outcomes,
        model=model.name,
        timestamp=when.isoformat(timespec="seconds"),
        fingerprint=fingerprint(spec),
        config={**spec.config(), "parser": "summary"},
        harness=harness_facts(),
        host=host_facts(),
        server=ServerFacts(kind=spec.server.kind, command=tuple(shown)),
        model_identity=identity(model),
        **facts,
    )
