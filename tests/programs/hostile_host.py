"""Stands where `ssh` does: a machine that somebody has taken over, with a host program of their own.

    python tests/programs/hostile_host.py HOW [ssh's options and command]

It greets like a real one. When a unit is to start, it sends what HOW names, and then a whole run that succeeded.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from engines.node import messages
from engines.node.frames import LINE, Frames, frame
from runner.host import harness_facts

HOW = sys.argv[1]


def say(message, data=b""):
    out = frame(message, data)
    while out:
        out = out[os.write(1, out) :]


def grew(attempt, path, data=b"x", offset=0):
    say(messages.Grew(attempt=attempt, path=path, offset=offset), data)


def attack(attempt):
    match HOW:
        case "above":
            grew(attempt, "../stolen")
        case "absolute":
            grew(attempt, "/tmp/stolen")
        case "deep above":
            grew(attempt, "a/b/../../../stolen")
        case "hidden":
            grew(attempt, ".unlogged/x")
        case "nul":
            grew(attempt, "a\0b")
        case "unit":
            grew(attempt, "unit.json")
        case "hole":
            grew(attempt, "a", offset=1 << 40)
        case "over a folder":
            grew(attempt, "a/b")
            say(messages.Replaced(attempt=attempt, path="a", offset=0, last=True), b"x")
        case "another attempt":
            grew("20260101T000000Z-x/u/1", "a")
        case "long":
            os.write(1, b"\xff\xff\xff\xff\0\0\0\0")
        case "no message":
            os.write(1, b"\0\0\0\2\0\0\0\0[]")
        case "endless":
            while True:
                os.write(2, b"x" * 4096)
                os.write(1, b"\0")
        case "many files":
            for number in range(11_000):
                grew(attempt, f"f{number}")
        case "unasked":
            for _ in range(100):
                say(messages.OthersEnded())
                say(messages.ModelState(sha256="0" * 64, folder="/"))
            for _ in range(100):
                say(messages.Ended(attempt=attempt))
        case "escapes":
            grew(attempt, "unit.log", b"\x1b]0;owned\x07 \x1b[2J\n")
            say(messages.Trouble(why="\x1b[2J owned"))


def main():
    os.write(1, b"welcome\x1b[0m to this machine\n" + LINE)
    frames = Frames(messages.FromCoordinator, after_line=False)
    while data := os.read(0, 1 << 16):
        for message, _ in frames.feed(data):
            if isinstance(message, messages.Hello):
                say(
                    messages.Ready(
                        harness={**harness_facts(), **({"version": "9\x1b[2J"} if HOW == "newer" else {})},
                        hostname="h",
                        cards=(),
                        disk_free_bytes=1,
                        memory_bytes=1,
                        clock_s=0,
                        pid=1,
                    )
                )
            elif isinstance(message, messages.WantModel):
                say(messages.ModelState(sha256=message.sha256, folder="/"))
            elif isinstance(message, messages.EndOthers):
                say(messages.OthersEnded())
            elif isinstance(message, messages.Start):
                attack(message.attempt)
                say(messages.Ended(attempt=message.attempt))


if __name__ == "__main__":
    main()
