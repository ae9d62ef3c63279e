"""A script that is started before its server is there loads what it needs, and then waits here."""

from __future__ import annotations

import asyncio
import os

from results.standby import WAIT_VARIABLE
from scripts.program import Unneeded


async def server_is_there() -> None:
    """Return once the harness says so; at once where it said nothing of waiting, or has said so before.

    Raises Unneeded when there will be none.
    """
    number = os.environ.pop(WAIT_VARIABLE, "")
    if not number:
        return
    line, loop = int(number), asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_reader(line, told.set)
    try:
        await told.wait()
        there = os.read(line, 1)
    except asyncio.CancelledError:
        raise Unneeded from None
    finally:
        loop.remove_reader(line)
        os.close(line)
    if not there:
        raise Unneeded
