"""When a worker says again that it has a job: whatever the machine and its clock did meanwhile."""

from __future__ import annotations

from web.working.beats import Beats

EVERY_S = 15.0


def test_a_beat_is_due_when_either_clock_has_moved_so_far():
    """The one goes on in sleep but can't be set; leases may go by the other, which can."""
    clock, wall = [100.0], [1_800_000_000.0]
    beats = Beats(clock=lambda: clock[0], wall=lambda: wall[0])
    beats.heard("a")
    assert not beats.is_due("a", EVERY_S)
    for moved, by in ((clock, 15.0), (wall, 3600.0), (wall, -3600.0)):
        moved[0] += by
        assert beats.is_due("a", EVERY_S)
        beats.heard("a")
        assert not beats.is_due("a", EVERY_S)
