"""Each engine is hit in each way: no answer that had come back is made again, nothing is left running, and
the results are those of a sweep on this machine. More kills: `python -m tests.engines.engine_kills`.
"""

from __future__ import annotations

import pytest

from tests.engines.engine_kills import run

pytestmark = pytest.mark.engines


# Ray takes half a minute to see that a node is dead: `test_ray.py` has its kills, one after the other.
@pytest.mark.parametrize(("engine", "kills"), [("ssh", 3), ("slurm", 3)])
@pytest.mark.timeout(400)
def test_kills_of_everything_cost_nothing_that_had_come_back(engine, kills, tmp_path):
    figures = run(tmp_path, engine, kills=kills, seed=1)
    # How much is made again depends on how fast this machine is; the harness measures it.
    broken = {name: value for name, value in figures["broken"].items() if name in EXACT}
    assert not broken, figures


EXACT = {"streamed_made_twice", "other_results"}
