"""Start the programs that stand for a server: one with the canonical solutions, one that answers any bytes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "programs"
PROGRAM = PROGRAMS / "canonical_server.py"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def canonical_server(*options):
    """Give its URL while it runs."""
    return _running(PROGRAM, *options)


@contextlib.contextmanager
def raw_server(folder, scenario, *options):
    """Give its URL while it runs. scenario: see raw_server.py."""
    path = folder / "scenario.json"
    path.write_text(scenario if isinstance(scenario, str) else json.dumps(scenario))
    with _running(PROGRAMS / "raw_server.py", path, *options) as url:
        yield url


@contextlib.contextmanager
def scripted_server(folder, scenarios):
    """Give its URL while it runs; a scenario, see scripted_server.py, is played at URL/NAME."""
    folder.mkdir(exist_ok=True)
    for name, scenario in scenarios.items():
        (folder / f"{name}.json").write_text(json.dumps(scenario))
    with _running(PROGRAMS / "scripted_server.py", folder) as url:
        yield url


@contextlib.contextmanager
def _running(program, *options):
    with subprocess.Popen(
        [sys.executable, program, *map(str, options)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            port = json.loads(process.stdout.readline())["port"]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def posts(url):
    """How many requests for an answer the server has seen."""
    with OPENER.open(url + "/posts") as response:
        return json.load(response)["posts"]


def answering_server(answers):
    """Give its URL while it runs: see answering_server.py. answers: its file."""
    return _running(PROGRAMS / "answering_server.py", answers)


def tool_server(*options):
    """Give its URL while it runs: see tool_server.py."""
    return _running(PROGRAMS / "tool_server.py", *options)


def scripted_provider(*options):
    """Give its URL while it runs, without the prefix of its paths: see scripted_provider.py."""
    return _running(PROGRAMS / "scripted_provider.py", *options)


def asked_of(url):
    """What a scripted provider was asked: path, headers, body, key and status of each request."""
    with OPENER.open(url + "/asked") as response:
        return json.load(response)


def data_hub(folder):
    """Give its URL while it runs: see data_hub.py."""
    return _running(PROGRAMS / "data_hub.py", folder)
