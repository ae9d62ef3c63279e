"""An error that begins with an option carries its setting as data: by that, a manifest's error finds its line."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from settings.table import TABLE

ROOT = Path(__file__).parents[2]
ROOMS = ("evaluation", "parsers", "runner", "scripts", "servers", "settings")
OPTIONS = {row.option for row in TABLE.values()}
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def usage_errors(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "UsageError" and node.args:
            yield node, {each.arg: each.value for each in node.keywords}


def begins(message):
    """The text of a message up to the first value that is filled in; "{option}" for an option that is."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    first = message.values[0] if isinstance(message, ast.JoinedStr) else message
    if isinstance(first, ast.FormattedValue):
        return "{option}" if getattr(first.value, "attr", "") == "option" else ""
    return str(first.value) if isinstance(first, ast.Constant) else ""


def test_every_error_about_an_option_carries_its_setting():
    mute = []
    for path in FILES:
        for node, words in usage_errors(path):
            found = re.match(r"--[a-z][a-z-]*|\{option\}", begins(node.args[0]))
            if found and found[0] in OPTIONS | {"{option}"} and "settings" not in words:
                mute.append(f"{path.relative_to(ROOT)}:{node.lineno}: {found[0]}")
    assert mute == []


def test_what_errors_are_about_are_settings():
    found = {
        each.value
        for path in FILES
        for _, words in usage_errors(path)
        if "settings" in words
        for each in ast.walk(words["settings"])
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }
    assert found
    assert found <= TABLE.keys()
