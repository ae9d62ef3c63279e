"""What is read is what `json` reads, whatever stands there."""

from __future__ import annotations

import json

import pytest

from results.json_text import decode

TEXTS = [
    b'{"a": [1, -0, 2.5, 1e400, null, true], "\xc3\xa4": "\\ud83d\\ude00", "a": {}}',
    b'"half of a pair: \\ud800"', b'"\xed\xa0\x80"', b"NaN", b"-Infinity", b"18446744073709551616", b"9" * 400,
    b"\xef\xbb\xbf{}", '{"a": 1}'.encode("utf-16"), b'"a\nb"', b'"\xff"', b"[1,]", b"01", b"{} {}", b"",
    b"[" * 100_000,
]  # fmt: skip


def outcome(read, text):
    try:
        return repr(read(text))
    except (ValueError, RecursionError) as error:
        return isinstance(error, ValueError)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:20]))
def test_every_text_is_read_as_json_reads_it(text):
    assert outcome(decode, text) == outcome(json.loads, text)
