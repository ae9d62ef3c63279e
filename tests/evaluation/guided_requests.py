"""A request whose answer a schema may hold, for the tests of several servers."""

from __future__ import annotations

import asyncio

from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.sampling import Sampling
from evaluation.protocols import PromptStyle, Request

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"enum": ["A", "B"]}},
    "required": ["answer"],
    "additionalProperties": False,
}


def ask(url, *, guided, provider="local", name="m", schema=SCHEMA, **config):
    request = Request(
        task_id="t", index=0, style=PromptStyle.CHAT, system="", user="Tell me about the sea.", json_schema=schema,
        sampling=Sampling(seed=1, max_tokens=24),
    )  # fmt: skip
    info = build_connection_info(
        provider, {"base_url": url, "model": name, "use_guided_json": guided, "timeout": 100, **config}
    )

    async def main():
        async with get_interface_for_provider(info) as reached:
            return await reached.generate(request)

    found = asyncio.run(main())
    assert found.error == ""
    return found.text
