"""`serve` as a process, for the tests that need one."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time

import psutil
import requests

from tests.command_line import PROGRAM

PATIENCE_S = 90.0


class Serve:
    """One process. `link`: what it printed. Use `with`; it is ended at the end of the block."""

    def __init__(self, results_dir, *options, env=None):
        self.results_dir = results_dir
        self.env = {**os.environ, **(env or {})}
        self.last_said = ""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--results-dir", results_dir, *map(str, options)],
            stdout=subprocess.PIPE, stderr=self._said, env=self.env,
        )  # fmt: skip
        watch = threading.Timer(PATIENCE_S, self.process.kill)
        watch.start()
        line = self.process.stdout.readline().decode()
        watch.cancel()
        found = re.fullmatch(r"dashboard: ((http://\S+)/enter\?token=(\S+))\n", line)
        if found is None:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{line}{self.said()}")
        self.link, self.url, self.token = found.groups()
        while "--no-worker" not in options and not psutil.Process(self.process.pid).children():
            time.sleep(0.02)  # it is started right after the link is printed

    def said(self):
        """Everything on stderr so far."""
        self._said.seek(0)
        return self._said.read().decode()

    def add_key(self, role="read", user="ada"):
        """The secret of a new key."""
        words = [PROGRAM, "keys", "add", user, "--role", role, "--results-dir", self.results_dir]
        return subprocess.run(words, capture_output=True, check=True, env=self.env).stdout.decode().strip()

    def by_key(self, role="read", user="ada"):
        """A session of requests with a new key."""
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {self.add_key(role, user)}"
        return session

    def by_link(self):
        """A session of requests that came by the link."""
        session = requests.Session()
        session.trust_env = False
        session.headers["Origin"] = self.url
        session.get(self.link, timeout=PATIENCE_S, allow_redirects=False).raise_for_status()
        return session

    def stop(self, number=signal.SIGTERM):
        """End it. Returns its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.process.stdout.close()
        self.last_said = self.said()
        self._said.close()
