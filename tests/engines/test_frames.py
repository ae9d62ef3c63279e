"""Frames come apart as they were put together, in whatever portions; anything else ends the connection."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.node import messages
from engines.node.frames import LINE, MOST_DATA, FrameError, Frames, frame


def read(kind, data, portion, *, after_line=False):
    frames = Frames(kind, after_line=after_line)
    return [each for at in range(0, len(data), portion) for each in frames.feed(data[at : at + portion])]


@settings(max_examples=25)
@given(portion=st.integers(1, 99), body=st.binary(max_size=99), path=st.text(min_size=1, max_size=20))
def test_frames_arrive_as_they_were_sent(portion, body, path):
    path = path.encode("utf-8", "replace").decode()
    sent = [
        (messages.Beat(), b""),
        (messages.Grew(attempt="s/u/1", path=path, offset=7), body),
        (messages.Ended(attempt="s/u/1", why="killed"), b""),
    ]
    data = b"motd\nwelcome" + LINE + b"".join(frame(*each) for each in sent)
    assert read(messages.FromHost, data, portion, after_line=True) == sent


@settings(max_examples=50)
@given(data=st.binary(max_size=400))
def test_anything_else_is_refused_or_waited_for_but_never_breaks_anything(data):
    try:
        read(messages.FromHost, data, 50)
    except FrameError:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff\0\0\0\0",
        b"\0\0\0\x01\xff\xff\xff\xff",
        b"\0\0\0\2\0\0\0\0{}",
        frame(messages.Remove(attempt="a")),  # the coordinator's to say
        b'\0\0\0\x10\0\0\0\0{"say":"unknown"}',
    ],
)
def test_long_strange_and_foreign_messages_are_refused(data):
    with pytest.raises(FrameError):
        read(messages.FromHost, data + bytes(100), 10_000)


def test_a_shell_that_never_stops_talking_is_refused():
    with pytest.raises(FrameError, match="something else"):
        read(messages.FromHost, b"x" * 100_000, 1000, after_line=True)


def test_what_is_too_long_is_not_sent():
    with pytest.raises(ValueError, match="a frame of"):
        frame(messages.Beat(), bytes(MOST_DATA + 1))
