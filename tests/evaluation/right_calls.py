"""What a model says that does all right in a scenario of tool calling: one message a turn."""

from __future__ import annotations

import json

from evaluation.benchmarks.tools.values import form_of

PRAISE = "Done."


def example(expected):
    """A value that is as expected."""
    name, what = form_of(expected)
    if name == "$one_of":
        return example(what[-1])
    if name == "$unordered":
        return what[::-1]
    if name == "$contains":
        return " and ".join(reversed(what)).upper()
    if name == "$near":
        return what[0]
    if name == "$any":
        return "anything"
    if isinstance(expected, dict) and not name:
        return {key: example(value) for key, value in expected.items()}
    return what


def right_arguments(call):
    return {
        name: example(value) for name, value in call.arguments.items() if form_of(value)[0] != "$optional"
    }


def right_messages(scenario):
    """Of OpenAI's API: the calls of each step, and what is said in the end."""
    said = []
    for number, step in enumerate(scenario.steps):
        calls = [(call.tool, right_arguments(call)) for call in reversed(step)]
        said.append(calling(*calls, turn=number))
    if scenario.most_turns > 1 or not scenario.steps:
        said.append(
            {"role": "assistant", "content": " ".join([*(group[0] for group in scenario.says), PRAISE])}
        )
    return said


def calling(*calls, turn=0):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"c{turn}{number}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": given if isinstance(given, str) else json.dumps(given),
                },
            }
            for number, (name, given) in enumerate(calls)
        ],
    }
