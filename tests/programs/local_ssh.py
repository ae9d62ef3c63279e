"""Stands where `ssh` does: runs the command for the other machine by a shell on this one.

    python tests/programs/local_ssh.py [--home FOLDER] [--down ADDRESS] [--without ADDRESS=VARIABLE]
        [--after ADDRESS=GLOB] [ssh's options] -- ADDRESS COMMAND

Each address gets a home of its own below FOLDER. --down: that one is unreachable. --without: that one has no such
variable. --after: that one answers once there is such a file below FOLDER. All may be repeated. A file `down` in its
home makes a machine unreachable from now on.
"""

import os
import sys
import time
from pathlib import Path

words = sys.argv[1:]
home, down, without, after = None, [], [], []
while words[0] != "--":
    word = words.pop(0)
    if word == "--home":
        home = Path(words.pop(0))
    elif word == "--down":
        down.append(words.pop(0))
    elif word == "--without":
        without.append(words.pop(0))
    elif word == "--after":
        after.append(words.pop(0))
_, address, command = words
if address in down or (home is not None and (home / address / "down").exists()):
    sys.exit(f"ssh: connect to host {address} port 22: No route to host")
if home is not None:
    (home / address / "tmp").mkdir(parents=True, exist_ok=True)
    os.environ.update(HOME=str(home / address), TMPDIR=str(home / address / "tmp"))
    os.environ.pop("XDG_CACHE_HOME", None)
for each in after:
    name, _, glob = each.partition("=")
    while name == address and not any(home.glob(glob)):
        time.sleep(0.05)
for each in without:
    if each.startswith(f"{address}="):
        os.environ.pop(each.partition("=")[2], None)
os.execl("/bin/sh", "sh", "-c", command)
