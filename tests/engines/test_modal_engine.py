"""No call is lost sight of: not by other settings, not by a short outage, and not between its start and its note."""

from __future__ import annotations

import pytest

from engines.contract import EndKind
from engines.modal.settings import Settings
from tests.engines.driving import driven_sweep
from tests.engines.folder_modal import FolderModal, engine
from tests.engines.modal_account import TOKEN

pytestmark = pytest.mark.engines


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    pytest.importorskip("modal", reason="Modal's client is missing: make test-engines installs it")
    from modal.config import config

    monkeypatch.setattr(config, "get", lambda name, **_: TOKEN.get(f"MODAL_{name.upper()}"))
    for name, value in {"LOOK_S": 0.01, "ASK_S": 0.0}.items():
        monkeypatch.setattr(f"engines.modal.engine.{name}", value)
    return driven_sweep(tmp_path, limit=1)


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
