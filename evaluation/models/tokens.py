"""What llama-server and vLLM tell of tokens: those of a text, and how many fit into the context of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from evaluation.models.replies import NotAnAnswer, as_mapping, read_body, read_json
from results.json_text import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.models.connection import ConnectionInfo


async def token_ids(session: aiohttp.ClientSession, info: ConnectionInfo, text: str) -> list[int] | None:
    """The ids, without those that begin a prompt; None from a server that doesn't tell them."""
    # llama-server reads content, vLLM prompt.
    body = {"model": info.model, "content": text, "prompt": text, "add_special_tokens": False}
    try:
        async with session.post(f"{info.base_url}/tokenize", json=body) as response:
            if response.status != 200:
                return None
            tokens = as_mapping(read_json(await read_body(response))).get("tokens")
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, NotAnAnswer):
        return None
    ids = tokens if isinstance(tokens, list) else []
    return ids if ids and all(type(token) is int and 0 <= token < 2**31 for token in ids) else None


def longest_context(properties: Mapping[str, Any], models: bytes) -> int | None:
    """Tokens of a slot by llama-server's /props, or vLLM's `max_model_len` in the list of models; None without both."""
    of_slot = whole_number(as_mapping(properties.get("default_generation_settings")).get("n_ctx"))
    if of_slot:
        return of_slot
    try:
        listed = as_mapping(read_json(models)).get("data")
    except ValueError:
        return None
    lengths = (
        [whole_number(as_mapping(model).get("max_model_len")) for model in listed or ()]
        if isinstance(listed, list)
        else []
    )
    return next((length for length in lengths if length), None)
