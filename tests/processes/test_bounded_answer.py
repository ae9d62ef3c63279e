"""What a program on another machine prints without end is not read without end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from processes.bounded_answer import bounded_answer


def python(code, **limits):
    return bounded_answer(
        [sys.executable, "-c", code], **{"timeout_s": 60.0, "most_bytes": 1 << 16, **limits}
    )


def test_an_answer_comes_whole_with_its_status():
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


@pytest.mark.parametrize("stream", [1, 2])
def test_an_endless_answer_is_cut_and_its_program_ended(stream):
    done = python(f"import os\nwhile True: os.write({stream}, b'x' * 65536)")
    assert done.returncode == -9
    assert len(done.stdout) + len(done.stderr) == 1 << 16


def test_no_answer_in_time_is_said():
    with pytest.raises(subprocess.TimeoutExpired):
        python("import time; time.sleep(600)", timeout_s=0.2)
