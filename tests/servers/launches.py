"""Requests for a server -> the plan of its launch."""

from __future__ import annotations

from servers.launch import plan
from servers.request import ServerRequest


def program(path, script="#!/bin/sh\nexit 0\n"):
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    return path


def made(model, *extra_args, kind="llama.cpp", **fields):
    return plan(ServerRequest(kind=kind, model=model, extra_args=extra_args, **fields), nonce="ab12")


def value(argv, option):
    return argv[argv.index(option) + 1]
