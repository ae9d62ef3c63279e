"""The Ray cluster, as the driver sees it: connect to it if it asks for a token, its nodes, words for its tasks."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import ray
from ray import exceptions as trouble
from ray._private import services
from ray._raylet import AuthenticationTokenLoader, GcsClient
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_put

from engines.ray.link import LOCAL
from engines.ray.messages import node_of
from results.errors import UsageError
from results.plain_text import plain

if TYPE_CHECKING:
    from pathlib import Path

    from engines.ray.messages import Node

TOKEN_HINT: Final = (
    "start every node with RAY_AUTH_MODE=token, and give it and this machine the same token in RAY_AUTH_TOKEN_PATH or "  # noqa: S105 - no token
    "~/.ray/auth_token; docs/engines.md shows how"
)
_ASK = """
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=sys.argv[1]).internal_kv_keys(b"", None)
except AuthenticationError:
    sys.exit(3)
"""
_CLOSED_CODE: Final = 3
_ASK_S: Final = 15.0
_ADDRESS: Final = re.compile(r"[A-Za-z0-9_.:\[\]-]+:[0-9]{1,5}")


def connect(address: str, folder: Path) -> tuple[str, str]:
    """Connect to the cluster, or start one. Returns its address and the job's id there. folder: for a started one.

    Raises UsageError if there is no cluster, no token, another token, another Ray, or a cluster that needs no token.
    """
    options = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
    if address == LOCAL:
        ray.init(address="local", _temp_dir=str(folder / "ray"), include_dashboard=False, **options)
    else:
        found = _found(address)
        _require_token(found)
        try:
            ray.init(address=found, **options)
        except trouble.RayError as error:
            raise _no_cluster(found, str(error)) from error
        except (ConnectionError, RuntimeError, ValueError, AssertionError) as error:
            raise _no_cluster(found, str(error)) from error
    context = ray.get_runtime_context()
    return str(context.gcs_address), str(context.get_job_id())


def living_nodes() -> tuple[Node, ...]:
    return tuple(node_of(facts) for facts in ray.nodes() if facts.get("Alive"))


def stop_key(key: str) -> bytes:
    """Under which a task finds that it has to stop, in the cluster's store of keys."""
    return b"bench_runner/stop/" + key.encode()


def say_stop(key: str, grace_s: float | None) -> None:
    """Tell the task to stop; None takes it back."""
    if grace_s is None:
        _internal_kv_del(stop_key(key))
    else:
        _internal_kv_put(stop_key(key), str(grace_s).encode())


def _found(address: str) -> str:
    given = address or os.environ.get("RAY_ADDRESS") or "auto"
    if given != "auto" and not _ADDRESS.fullmatch(given):
        raise UsageError(
            f"{plain(given)!r} is no address of a Ray cluster",
            hint="give HOST:PORT of its head, such as 10.0.0.1:6379; Ray's own client, ray://, isn't used",
        )
    try:
        found = services.canonicalize_bootstrap_address(given)
    except ConnectionError:
        found = None
    if not found:
        raise UsageError(
            "this machine has joined no Ray cluster",
            hint="join one with `ray start --address=HEAD:6379`, or let the sweep start one here: engine: {name: ray, "
            "address: local}",
        )
    host, _, port = str(found).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ASK_S).close()
    except OSError as error:
        raise _no_cluster(str(found), error.strerror or str(error)) from error
    return str(found)


def _require_token(address: str) -> None:
    """Raise UsageError unless the cluster takes our token and nobody without one."""
    if not AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True):
        raise UsageError("there is no token for the Ray cluster on this machine", hint=TOKEN_HINT)
    try:
        GcsClient(address=address).internal_kv_keys(b"", None)
    except trouble.AuthenticationError as error:
        raise UsageError(
            f"the Ray cluster at {address} doesn't take this machine's token",
            hint=TOKEN_HINT,
        ) from error
    except (trouble.RayError, OSError, RuntimeError) as error:
        raise _no_cluster(address, str(error)) from error
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    asked = subprocess.run(
        [sys.executable, "-c", _ASK, address],
        env={**env, "RAY_AUTH_MODE": "disabled"},
        timeout=_ASK_S,
        check=False,
    )
    if asked.returncode == 0:
        raise UsageError(
            f"the Ray cluster at {address} asks nobody for a token: whoever reaches it runs programs on its nodes",
            hint=TOKEN_HINT,
        )
    if asked.returncode != _CLOSED_CODE:
        raise UsageError(
            f"it can't be known whether the Ray cluster at {address} asks for a token",
            hint=f"is it the same Ray as here ({ray.__version__})?",
        )


def _no_cluster(address: str, why: str) -> UsageError:
    first = why.strip().partition("\n")[0][:300]
    return UsageError(
        f"cannot use the Ray cluster at {address}: {first}",
        hint="this machine must have joined it: `ray start --address=HEAD:6379`, with the same Python and Ray",
    )
