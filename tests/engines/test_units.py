"""What an engine gets is known as what the sweep planned, also where a machine is to do something else of it."""

from __future__ import annotations

import msgspec

from engines.server_group import ToDo
from engines.unit import Unit, planned_here, read_unit, write_unit
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from tests.sweep_runs import models


def test_a_round_of_a_race_is_known_as_the_planned_run(tmp_path):
    models(tmp_path, "a")
    text = "matrix: {benchmark: human_eval, model: a.gguf, server_command: 'x {port}', limit: 80}"
    (planned,) = plan_runs(parse_manifest(text, form="yaml", name="sweep", folder=tmp_path)).runs
    fewer = msgspec.structs.replace(planned.spec, asked=planned.spec.asked.but(limit=20, shuffle=1))
    unit = Unit(unit_id="u", sweep_id="s", nonce="n", may_reduce=False, total=1, todo=(ToDo(planned, fewer),))
    written = read_unit(write_unit(unit.document({})))
    assert written.runs[0].fingerprint != planned.fingerprint
    assert unit.fingerprints == Unit.of(written).fingerprints == {planned.fingerprint}
    (here,) = planned_here(written)
    assert here.fingerprint == planned.fingerprint
    assert here.spec.asked["limit"] == 20
