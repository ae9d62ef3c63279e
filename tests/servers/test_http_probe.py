"""One request to a server of ours, or to somebody's over HTTPS."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from servers.http_probe import request


class Echo(BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        data = json.dumps({"path": self.path, "key": self.headers.get("Authorization")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def https_server(tmp_path):
    """(its URL, its certificate)."""
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run(
        [
            "openssl",
            *made,
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with HTTPServer(("localhost", 0), Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}/api", tmp_path / "cert.pem"
        finally:
            server.shutdown()
            thread.join()


def test_https_checks_the_certificate_and_takes_the_user_s_own(https_server, monkeypatch):
    url, certificate = https_server
    assert request(url, "/v1/models", api_key="k") is None
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    answer = request(url, "/v1/models", api_key="k")
    assert answer is not None
    assert answer.status == 200
    assert answer.json() == {"path": "/api/v1/models", "key": "Bearer k"}


def test_nobody_there_is_none_over_https_too():
    assert request("https://localhost:1", "/health") is None
    assert request("http://127.0.0.1:1", "/health") is None
