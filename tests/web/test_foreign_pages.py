"""In a real browser with a session here, other people's pages read, change and frame nothing of ours."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from tests.web.serve_process import PATIENCE_S, Serve

pytestmark = pytest.mark.web
LOOKER = Path(__file__).with_name("foreign_pages.py")


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body>elsewhere")

    def log_message(self, *_):
        pass


@pytest.fixture
def elsewhere():
    """The port of a server of somebody else on this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def test_foreign_pages_get_nowhere(tmp_path, elsewhere):
    """From another site (localhost beside 127.0.0.1), and from another port of the same one, which is the same site to
    a browser: its cookie comes along, so only the checks of Origin and Sec-Fetch-Site refuse it (403). From another
    site no cookie comes, so nobody has signed in (401).
    """
    python, chromium = os.environ.get("BROWSER_PYTHON", "none"), os.environ.get("CHROMIUM", "")
    if python == "none":
        pytest.skip("no Chromium here")
    sites = [f"http://localhost:{elsewhere}/", f"http://127.0.0.1:{elsewhere}/"]
    with Serve(tmp_path / "results", "--port", 0, "--no-worker") as served:
        plan = tmp_path / "plan.json"
        plan.write_text(json.dumps({"link": served.link, "base": served.url, "foreign": sites}))
        done = subprocess.run(
            [python, LOOKER, chromium, plan], capture_output=True, timeout=PATIENCE_S * 2, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        found = json.loads(done.stdout)
        assert found["entered"] == f"{served.url}/"
        assert found["cookie"] == [{"httpOnly": True, "sameSite": "Strict", "path": "/"}]
        assert found["script_sees"] == ""
        for site, refused in zip(sites, (401, 403), strict=True):
            tried = found[site]
            assert tried["read"] == "refused"
            assert tried["json"] == "refused"
            assert tried["socket"] == "refused"
            assert tried["image"] == "refused"
            assert tried["frame"] == "opaque"
            assert tried["form"] == [refused]
            assert tried["linked"] == f"{served.url}/runs?order=score"
        assert found["still"] == f"{served.url}/runs"
        assert served.token not in served.said()
