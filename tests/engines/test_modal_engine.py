"""No call is lost sight of: not by other settings, not by a short outage, and not between its start and its note."""

from __future__ import annotations

import pytest

from engines.carriers.folder_blobs import FolderBlobs
from engines.contract import EndKind
from engines.modal.places import STARTING
from engines.modal.settings import Settings
from results.errors import ResultsError
from tests.engines.driving import driven_sweep
from tests.engines.folder_modal import FolderModal, engine
from tests.engines.modal_account import TOKEN

pytestmark = pytest.mark.engines


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    pytest.importorskip("modal", reason="Modal's client is missing: make test-engines installs it")
    from modal.config import config

    monkeypatch.setattr(config, "get", lambda name, **_: TOKEN.get(f"MODAL_{name.upper()}"))
    for name, value in {"LOOK_S": 0.01, "ASK_S": 0.0, "FIRST_WAIT_S": 0.01, "SETTLE_S": 0.05}.items():
        monkeypatch.setattr(f"engines.modal.engine.{name}", value)
    return driven_sweep(tmp_path, limit=1)


class _Once:
    """All units of a sweep, none of them again."""

    leaves = holds_back = False

    def __init__(self, sweep):
        self._units = sweep.units

    def take(self, fits=None):
        return self._units.take(fits)

    @property
    def is_done(self):
        return not self._units.waiting


def submitted(sweep, settings, modal):
    """Leave an attempt with Modal, as `--detach` does."""
    sweep.units.leaves = True
    assert list(engine(settings, sweep.said, modal).run(sweep.units, sweep.store)) == []
    sweep.units.leaves = False
    (attempt,) = sweep.store.running()
    return attempt


def test_what_is_out_is_found_with_other_settings(sweep, tmp_path):
    modal = FolderModal(tmp_path / "modal", "before")
    attempt = submitted(sweep, Settings(volume="before"), modal)
    assert attempt.handle == "fc-1 volume:before"
    modal.begin(attempt.name, "fc-1")
    modal.finish(attempt.name)
    now = FolderModal(tmp_path / "modal", "now")
    sweep.units.taken.clear()
    ends = engine(Settings(volume="now"), sweep.said, now).run(sweep.units, sweep.store)
    assert [end.kind for end in ends] == [EndKind.DONE]
    assert now.calls == []


def test_what_is_out_is_cancelled_with_other_settings(sweep, tmp_path):
    attempt = submitted(sweep, Settings(volume="before"), FolderModal(tmp_path / "modal", "before"))
    now = FolderModal(tmp_path / "modal", "now")
    now.finish(attempt.name)  # of something else of that name; it isn't looked at
    engine(Settings(volume="now"), sweep.said, now).cancel([attempt], 0.1)
    assert set(now.cancelled) == {"fc-1"}
    assert not (attempt.folder / "end.json").exists()


class Attended(FolderModal):
    """Whose calls begin at once, and end at the next question."""

    def spawn(self, name, deployment, sha256):
        call = super().spawn(name, deployment, sha256)
        self.begin(name, call)
        self.finish(name)
        return call


def test_a_short_outage_costs_no_attempt(sweep, tmp_path):
    """Neither one of those that a unit has, nor a place among those that run at once."""
    modal = Attended(tmp_path / "modal", "bench-runner", failing=5)
    ends = list(engine(Settings(), sweep.said, modal).run(_Once(sweep), sweep.store))
    assert [(end.kind, end.attempt.number) for end in ends] == [(EndKind.DONE, 1)]
    assert modal.calls == ["fc-1"]
    assert sum("keeps trying" in line for line in sweep.said.lines) == 1


class Deaf(FolderModal):
    """Starts a call although its first answer doesn't arrive."""

    def spawn(self, name, deployment, sha256):
        call = super().spawn(name, deployment, sha256)
        if call == "fc-1":
            self.begins(name, call)
            raise ResultsError("Modal failed: no answer", hint="try again later")
        return call

    def begins(self, name, call):
        self.begin(name, call)
        self.finish(name)


def test_a_call_whose_start_was_not_answered_is_not_started_again(sweep, tmp_path):
    modal = Deaf(tmp_path / "modal", "bench-runner")
    (end,) = engine(Settings(), sweep.said, modal).run(_Once(sweep), sweep.store)
    assert (end.kind, end.attempt.handle.split()[0]) == (EndKind.DONE, "fc-1")
    assert modal.calls == ["fc-1"]


def test_of_two_calls_the_one_that_came_first_is_waited_for(sweep, tmp_path):
    """The first one was still in Modal's queue when the second one was started."""

    class Slow(Deaf):
        def begins(self, name, call):
            self.waiting = name

        def ended(self, call_id):
            if call_id == "fc-2":  # it finds that the attempt has begun
                self.begin(self.waiting, "fc-1")
                return "success"
            self.finish(self.waiting)
            return None

    modal = Slow(tmp_path / "modal", "bench-runner")
    (end,) = engine(Settings(), sweep.said, modal).run(_Once(sweep), sweep.store)
    assert (end.kind, end.attempt.handle.split()[0]) == (EndKind.DONE, "fc-1")
    assert modal.calls == ["fc-1", "fc-2"]


def test_what_could_not_be_started_is_given_up_with_the_sweep(sweep, tmp_path):
    modal = FolderModal(tmp_path / "modal", "bench-runner", failing=1000)
    running = engine(Settings(), sweep.said, modal)
    running._trouble = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        list(running.run(_Once(sweep), sweep.store))
    (attempt,) = sweep.store.running()
    assert modal.blobs(attempt.name).get("claim", 100) == b"nobody"


def killed_while_starting(sweep, modal):
    """As a coordinator leaves an attempt that is killed between starting its call and noting it."""
    attempt = submitted(sweep, Settings(), modal)
    sweep.units.taken.clear()
    return sweep.store.started(attempt, handle=STARTING)


def test_a_call_that_claims_an_attempt_while_it_is_given_up_is_taken_for_what_it_is(sweep, tmp_path):
    """Else it would go on, and cost, beside another one that does the same."""

    class Late(FolderModal):
        def blobs(self, address):
            modal = self

            class Blobs(FolderBlobs):
                def put(self, name, data):
                    super().put(name, data)
                    if data == b"nobody":
                        modal.begin(address, "fc-1")
                        modal.finish(address)

            return Blobs(self.folder / self.volume / address.lstrip("/"))

    modal = Late(tmp_path / "modal", "bench-runner")
    killed_while_starting(sweep, modal)
    (end,) = engine(Settings(), sweep.said, modal).run(_Once(sweep), sweep.store)
    assert (end.kind, end.attempt.handle.split()[0]) == (EndKind.DONE, "fc-1")


def test_an_attempt_whose_call_never_began_is_given_up_once_that_is_sure(sweep, tmp_path):
    modal = FolderModal(tmp_path / "modal", "bench-runner")
    attempt = killed_while_starting(sweep, modal)
    (end,) = engine(Settings(), sweep.said, modal).run(_Once(sweep), sweep.store)
    assert end.kind == EndKind.LOST
    assert not (modal.folder / "bench-runner" / attempt.name / "claim").exists(), "nothing of it is left"
