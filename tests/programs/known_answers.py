"""What a provider of tests says that does all right: HumanEval's solutions, and the calls of the scenarios of tools."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))


def canonical():
    """HumanEval's solutions, as canonical_server.py has them."""
    from canonical_server import Answers

    fields = {"answered": None, "wrong_if": [], "wrong": 0.0, "mode": "canonical", "salt": ""}
    answers = Answers(argparse.Namespace(**fields))
    return lambda _, prompt, chat: answers.answer(answers.problem(prompt), chat=chat)


def right_calls():
    """The turns of the shipped scenarios of tools, in a body of either API."""
    from evaluation.benchmarks.tools.task import load_data
    from tests.evaluation.right_calls import right_messages

    scenarios = {case.user: case for case in load_data(None).cases}

    def answer(body, _prompt, _chat):
        said = [(message["role"], text_of_turn(message.get("content"))) for message in body["messages"]]
        last = max((place for place, (role, text) in enumerate(said) if role == "user" and text), default=0)
        if said[last][1] not in scenarios:
            return "ok"
        turn = sum(role == "assistant" for role, _ in said[last:])
        message = right_messages(scenarios[said[last][1]])[turn]
        calls = [each["function"] for each in message.get("tool_calls", ())]
        found = {"text": message["content"] or "", "reasoning": "I know."}
        tools = [[call["name"], json.loads(call["arguments"])] for call in calls]
        return {**found, "tools": tools} if tools else found

    return answer


def text_of_turn(content):
    """Of a message, without the results of calls in it."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or () if part["type"] == "text")


KNOWN = {"canonical": canonical, "tools": right_calls}
