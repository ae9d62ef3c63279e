"""An app with no jobs and no runs, and clients that ask it: what the tests of the door share."""

from __future__ import annotations

from types import SimpleNamespace

from starlette.testclient import TestClient

from web.access.role import Role
from web.access.streams import Streams
from web.app import create_app
from web.config import Limits, ServeConfig
from web.services import Services

HOST = "127.0.0.1:8765"
HERE = f"http://{HOST}"


class FewKeys:
    """The seam of keys, in memory."""

    def __init__(self):
        self.by_secret = {}

    def add(self, user, role):
        key = SimpleNamespace(user=user, role=role, key_id=f"key-{len(self.by_secret)}", revoked_at=None)
        secret = f"secret-{len(self.by_secret)}-{user}"
        self.by_secret[secret] = key
        return key, secret

    def find(self, secret):
        return self._valid(self.by_secret.get(secret))

    def get(self, key_id):
        return self._valid(next((key for key in self.by_secret.values() if key.key_id == key_id), None))

    def revoke(self, key_id):
        self.get(key_id).revoked_at = 1.0

    @staticmethod
    def _valid(key):
        return None if key is None or key.revoked_at else key


def services(tmp_path, *, limits=None, **config):
    state = tmp_path / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    found = ServeConfig(results_dir=tmp_path, state_dir=state, limits=limits or Limits(), **config)
    return Services(
        config=found, keys=FewKeys(), queue=None, schedules=None, audit=None, store=None, tables=None,
        streams=Streams(found.limits.streams), worker_state=lambda: "ok",
    )  # fmt: skip


def app_of(tmp_path, *, limits=None, **config):
    return create_app(services(tmp_path, limits=limits, **config), hold_back_s=0.0, remember_s=0.0)


def client(app, secret=None, base=HERE, **headers):
    sent = {"Authorization": f"Bearer {secret}"} if secret else {}
    return TestClient(app, base_url=base, headers=sent | headers, follow_redirects=False)


def key(app, role=Role.READ, user="ada"):
    return app.state.services.keys.add(user, role)[1]
