"""The bodies of tasks. They travel to the node as they are, so they import nothing but what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def do_unit(checkout: str, order: dict[str, Any], *packs: bytes) -> Iterator[tuple[Any, ...]]:
    """Do an attempt at a unit; see `engines.node.streamed_unit.work`."""
    import os
    import sys

    from ray import get_runtime_context
    from ray.experimental.internal_kv import _internal_kv_get

    if os.path.isdir(checkout) and checkout not in sys.path:  # noqa: PTH112 - the least to import
        sys.path.insert(0, checkout)
    from engines.node.streamed_unit import work

    key = order["stop_key"]

    def stop() -> float | None:
        found = _internal_kv_get(key)
        return float(found) if found else None

    yield from work(order, packs, node_id=get_runtime_context().get_node_id(), stop=stop)


def look(checkout: str, python: str, words: list[str], within_s: float) -> bytes:
    """What `engines.node.node_check` prints there. Raises OSError or TimeoutExpired."""
    import os
    import subprocess
    import sys

    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [python or sys.executable, "-m", "engines.node.node_check", *words],
        cwd=checkout if os.path.isdir(checkout) else None,  # noqa: PTH112 - the least to import
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=within_s,
        check=False,
    )
    return done.stdout[-50_000:]
