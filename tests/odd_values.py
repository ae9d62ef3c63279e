"""Values that no server should send where a number or a text belongs, and some did: as they stand in JSON."""

from __future__ import annotations

DEEP = "[" * 900 + "]" * 900  # read by json, and too deep for whoever looks at it with a longer stack
DEEPER = '{"a":' * 100_000 + "1" + "}" * 100_000

ODD = {
    "null": "null",
    "true": "true",
    "a list": "[1]",
    "a mapping": '{"a": 1}',
    "a text": '"lots"',
    "an empty text": '""',
    "a long text": '"' + "x" * 100_000 + '"',
    "half a character": '"\\ud83d"',
    "a negative number": "-3",
    "a fraction": "1.5",
    "not a number": "NaN",
    "infinity": "1e999",
    "a number beyond 64 bits": "1" + "0" * 40,
    "a number without end": "9" * 5000,
    "deep": DEEP,
    "deeper": DEEPER,
}
UNREADABLE = {"a number without end", "deeper"}  # whatever holds one of these is no JSON that can be read
