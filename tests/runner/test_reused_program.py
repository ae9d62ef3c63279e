"""A finished run stands for a new one only while its server's program is the file that it ran."""

from __future__ import annotations

import dataclasses
import datetime as dt

import msgspec

from results.records import Outcome
from runner.program_age import changed_s
from runner.request import build_spec
from runner.reuse import FinishedRuns
from servers.launch import plan
from settings.asked import Asked
from tests.choosing.reusable_runs import reusable_run
from tests.sweep_runs import models


def test_a_program_that_was_replaced_within_the_second_in_which_a_run_began_is_another(tmp_path):
    (model,) = models(tmp_path / "m", "a")
    build = tmp_path / "llama-server"
    build.write_text("#!/bin/sh\n")
    build.chmod(0o700)
    asked = Asked(
        {"benchmark": "human_eval", "model": str(model), "server_command": f"{build} {{port}}", "limit": 1}
    )
    spec = build_spec(asked)
    began_with = changed_s(plan(dataclasses.replace(spec.server, port=None), nonce="0"))
    assert began_with is not None
    folder = reusable_run(tmp_path / "r", asked, [Outcome.PASSED])
    record = folder.read_record()
    whole_second = dt.datetime.fromtimestamp(int(began_with), dt.UTC).isoformat(timespec="seconds")
    known = msgspec.structs.replace(record.server, program_changed_s=began_with)
    record = msgspec.structs.replace(record, timestamp=whole_second, server=known)
    finished = FinishedRuns(tmp_path / "r", warn=print)
    assert finished.is_current(record, spec)
    new = build.with_suffix(".new")
    new.write_text("#!/bin/bash\n")
    new.chmod(0o700)
    new.replace(build)
    assert not finished.is_current(record, spec)
