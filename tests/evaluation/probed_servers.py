# ruff: noqa: E501 - tables of cases
"""Servers that are probed for how their model is asked: what they say, and what is chosen."""

from __future__ import annotations

from evaluation.protocols import PromptStyle, Request

SLOTS = {"total_slots": 1, "default_generation_settings": {"n_ctx": 4096}}
BUSY = {"_status": 429, "_raw": {"error": {"message": "try again in 1 s"}}}
LOADING = {
    "_status": 503,
    "_raw": {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}},
}
BABBLE = {"message": {"content": "4\nQ: What is 3 + 3?\nA: 6\nQ: "}, "finish_reason": "length", "usage": None}
HELLO = [["", "Hello"]]
ASK = Request(task_id="t", index=0, style=PromptStyle.CHAT, system="", user="2 + 2")


def props(**found):
    return {"get": {"/props": found}, "chat": [["2 + 2", "4"]], "completion": HELLO}


def says(reply, *more, completion=HELLO):
    """A server without /props whose answers to the probe are these, the last one for ever."""
    replies = [reply, *more]
    once = [
        ["", {**(each if isinstance(each, dict) else {"message": {"content": each}}), "_times": 1}]
        for each in replies[:-1]
    ]
    return {"chat": [*once, ["", replies[-1]]], "completion": completion}


def message(content, finish_reason="length", **fields):
    return {
        "message": {"content": content, **fields},
        "finish_reason": finish_reason,
        "usage": fields.pop("usage", None),
    }


# What is chosen, how often the chat is asked, and what was seen.
CHAT, COMPLETION, STOPS = PromptStyle.CHAT, PromptStyle.COMPLETION, None
STYLES = {
    "llama-server with a template": (props(chat_template="{{ messages }}", **SLOTS), CHAT, 1, "ended its turn"),
    "llama-server without one": (props(chat_template="", **SLOTS), COMPLETION, 0, "no chat template"),
    "llama-server with blanks": (props(chat_template=" \n", **SLOTS), COMPLETION, 0, "no chat template"),
    "an old llama-server without the key": (props(**SLOTS), CHAT, 1, "ended its turn"),
    "KoboldCpp, null": (props(chat_template=None, id=0, id_task=-1, **SLOTS), CHAT, 1, ""),
    "KoboldCpp, empty": (props(chat_template="", id=0, id_task=-1, **SLOTS), CHAT, 1, ""),
    "llama.cpp's router": (
        props(role="router", max_instances=4, model_path="none", default_generation_settings={"params": None, "n_ctx": 0}),
        CHAT, 1, "",
    ),
    "a router with an empty template": (props(role="router", chat_template="", **SLOTS), CHAT, 1, ""),
    "LM Studio": (
        {**says("4"), "get_default": {"error": "Unexpected endpoint or method. (GET /props)"}},
        CHAT, 1, "",
    ),
    "an error that is a mapping": (props(error={"code": 404, "message": "File Not Found"}), CHAT, 1, ""),
    "vLLM, SGLang, Ollama": (says("4"), CHAT, 1, ""),
    "a list": ({**says("4"), "get": {"/props": []}}, CHAT, 1, ""),
    "a template that is a number": (props(chat_template=0, **SLOTS), CHAT, 1, ""),
    **{
        f"an end called {name}": (says(message("4", name)), CHAT, 1, "ended its turn")
        for name in ("stop", "eos", "stop_sequence", None, "end_turn", "STOP", "word", "", {"type": "stop", "matched": 2})
    },
    "parts": (says(message([{"type": "text", "text": "4"}], "stop")), CHAT, 1, ""),
    "a content filter": (says(message("4", "content_filter")), CHAT, 1, ""),
    "reasoning_content": (says(message(None, reasoning_content="Okay")), CHAT, 1, "thinking"),
    "reasoning": (says(message("", reasoning="Okay")), CHAT, 1, "thinking"),
    "thinking": (says(message("", thinking="Okay")), CHAT, 1, "thinking"),
    "a part that thinks": (says(message([{"type": "thinking", "thinking": "Okay"}])), CHAT, 1, "thinking"),
    "a mark": (says(message("<seed:think>So")), CHAT, 1, "thinking"),
    "thinking aloud": (says(message("Okay, the user asks for a sum. Let me")), CHAT, 1, "aloud"),
    "a thought that only the count shows": (
        says(message("", usage={"completion_tokens": 64, "completion_tokens_details": {"reasoning_tokens": 64}})),
        CHAT, 1, "thinking",
    ),
    "tokens that are not shown": (says(message("", usage={"completion_tokens": 64})), CHAT, 1, "thinking"),
    "a thought that ends in the longer probe": (
        says(message("2 and 2 are four things"), message("2 and 2 are four things</think>4", "stop")),
        CHAT, 2, "thinking",
    ),
    "a long answer": (says(message("Two and two make"), message("Two and two make four.", "stop")), CHAT, 2, "ended its turn"),
    "a limit that leaves no room": (
        says({"_status": 400, "_raw": {"error": {"message": "max_tokens is too low for thinking"}}}, "4"),
        CHAT, 2, "",
    ),
    "a server that calls every end a limit": (says(message("4")), CHAT, 1, "number only"),
    "a limit that is not named": (
        says({"message": BABBLE["message"], "finish_reason": None, "usage": {"completion_tokens": 512}}),
        COMPLETION, 2, "within 512 tokens",
    ),
    "a model without turns": (says(BABBLE), COMPLETION, 2, "did not end its turn within 512 tokens"),
    "busy at first": (says(BUSY, BUSY, "4"), CHAT, 3, ""),
    "loading at first": (says(LOADING, LOADING, "4"), CHAT, 3, ""),
    "a connection that is reset": (says({"_reset": True, "message": {}}, "4"), CHAT, 2, ""),
    "a server error at first": (says({"_status": 500, "_raw": {"error": "boom"}}, "4"), CHAT, 2, ""),
    "broken off at first": (says(message("", "abort"), "4"), CHAT, 2, ""),
    "an error that came as an answer, at first": (
        says({"_raw": {"error": {"code": 502, "message": "bad gateway"}}}, "4"), CHAT, 2, "",
    ),
    "always failing": (says({"_status": 500, "_raw": {"error": "boom"}}), STOPS, 5, "boom"),
    "always broken off": (says(message("", "abort")), STOPS, 5, "broke off"),
    "nothing said": (says(message("", "stop")), STOPS, 2, "empty"),
    "no chat": (says({"_status": 404, "_raw": {"detail": "Not Found"}}), COMPLETION, 1, "Not Found"),
    "no template in vLLM": (
        says({"_status": 400, "_raw": {"message": "default chat template is no longer allowed", "code": 400}}),
        COMPLETION, 1, "chat template",
    ),
    "not implemented": (says({"_status": 501, "_raw": {"error": "no chat"}}), COMPLETION, 1, "no chat"),
    "an unknown path with status 200": (
        says({"_raw": {"error": "Unexpected endpoint or method."}}), COMPLETION, 5, "Unexpected",
    ),
    "no such model": (
        says({"_status": 404, "_raw": {"error": "no such model"}}, completion=[["", {"_status": 404, "_raw": {"error": "no such model"}}]]),
        STOPS, 1, "no such model",
    ),
}  # fmt: skip
