"""What a setting's value may be, and what is said of one that it may not be."""

from __future__ import annotations

import pytest

from results.errors import UsageError
from settings.table import TABLE
from settings.values import read_value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("limit", "20", 20),
        ("temperature", "0.5", 0.5),
        ("gpu_layers", "-1", -1),
        ("memory_limit", "512M", 512 << 20),
        ("memory_limit", "1.5GiB", 3 << 29),
        ("memory_limit", "536870912", 512 << 20),
        ("server_args", "-fa on --x 'a b'", ("-fa", "on", "--x", "a b")),
        ("chat_template_kwargs", '{"b": 1, "a": [true, null]}', '{"a":[true,null],"b":1}'),
        ("as_published", "true", True),
        ("health_path", "", ""),
        ("parser", "./mine.py", "./mine.py"),
        ("benchmark", "anything-1", "anything-1"),
        ("server_command", "serve ${X}", "serve ${X}"),
        ("limit", None, None),
    ],
)
def test_a_text_of_the_command_line_becomes_the_value(name, text, value):
    """Without variables: the shell has filled them in."""
    assert read_value(TABLE[name], text, variables=False) == value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("limit", "x", "'x' is not a whole number"),
        ("limit", "1.5", "'1.5' is not a whole number"),
        ("limit", "0", "0 is out of range: 1 to 1000000"),
        ("temperature", "nan", "nan is out of range: 0 to 5"),
        ("seed", "1" * 400, "is out of range: 0 to 2147483647"),
        ("gpu_layers", "1" * 400, "is out of range: -1 or more"),
        ("memory_limit", "1" * 400, "is out of range"),
        ("temperature", "1e999", "inf is out of range"),
        ("gpu_memory_utilization", "0", "0.0 is out of range: more than 0, at most 1"),
        ("gpu_memory_utilization", "1.5", "1.5 is out of range"),
        ("tensor_parallel_size", "0", "0 is out of range"),
        ("ready_timeout", "0", "0.0 is out of range: more than 0"),
        ("memory_limit", "much", '"much" is not a size such as 512M or 2G'),
        ("memory_limit", "1K", "1K is out of range: 16M to 1T"),
        ("memory_limit", "2T", "2T is out of range: 16M to 1T"),
        ("prompt_style", "caht", "'caht' is not one of auto, chat, completion; did you mean chat?"),
        ("server_args", "'", "can't be split into words"),
        ("chat_template_kwargs", "[1]", "a list is not a JSON object"),
        ("chat_template_kwargs", "{", "is not valid JSON"),
        ("chat_template_kwargs", '{"a":' * 9999, "nested too deeply"),
        ("as_published", "yes", "'yes' is neither true nor false"),
        ("start_date", "monday", "'monday' is not DAY"),
        ("model", "", "is empty"),
        ("health_path", "health", "'health' is not PATH"),
    ],
)
def test_what_is_no_value_is_said_in_one_way(name, value, message):
    with pytest.raises(UsageError) as error:
        read_value(TABLE[name], value, variables=False)
    assert message in error.value.message


def test_a_manifests_own_types_are_taken_as_they_are(monkeypatch):
    monkeypatch.setenv("N", "7")
    assert read_value(TABLE["limit"], "${N}") == 7
    assert read_value(TABLE["few_shot"], 5) == "5"
    assert read_value(TABLE["chat_template_kwargs"], {"a": 1}) == '{"a":1}'
    assert read_value(TABLE["server_args"], ["-c", 512]) == ("-c", "512")
    with pytest.raises(UsageError, match="is not a whole number"):
        read_value(TABLE["limit"], "7")
    with pytest.raises(UsageError, match="true is not a whole number"):
        read_value(TABLE["limit"], True)
