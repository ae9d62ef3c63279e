"""Problems in LiveCodeBench's own format, written for these tests, with solutions that are right and such that are not.

`python -m tests.evaluation.lcb_problems` writes `fixtures/lcb/problems.jsonl`.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import zlib
from pathlib import Path

from tests.evaluation.lcb_functions import FUNCTIONS
from tests.evaluation.lcb_programs import PROGRAMS
from tests.evaluation.lcb_sources import Source, right, wrong

FOLDER = Path(__file__).with_name("fixtures") / "lcb"
FILE = FOLDER / "problems.jsonl"


SOURCES = [
    *PROGRAMS,
    *FUNCTIONS,
    Source(
        id="kiosk_g",
        title="Count the beacons",
        platform="atcoder",
        difficulty="hard",
        day="2024-06-15T00:00:00",
        content="Beacons stand at whole points of a line. Print how many lie within distance D of another one.\n\nInput"
        "\n\nN and D, then N points.\n\nOutput\n\nThe number.",
        starter="",
        function=None,
        public=[("3 1\n1 2 9\n", "2\n")],
        private=[("1 5\n3\n", "0\n")] * 3
        + [(f"{n} 2\n{' '.join(str(3 * i) for i in range(n))}\n", "0\n") for n in range(2, 34)]
        + [("4 3\n0 3 6 100\n", "3\n")],
        packed=True,
        attempts=[
            right("""
                n, d = map(int, input().split())
                points = sorted(map(int, input().split()))
                near = set()
                for i in range(1, n):
                    if points[i] - points[i - 1] <= d:
                        near |= {i - 1, i}
                print(len(near))
            """),
            wrong("wrong at the last test", """
                n, d = map(int, input().split())
                points = sorted(map(int, input().split()))
                near = set()
                for i in range(1, n):
                    if points[i] - points[i - 1] <= min(d, 2):
                        near |= {i - 1, i}
                print(len(near))
            """),
        ],
    ),
]  # fmt: skip


def line(source: Source) -> str:
    def tests(pairs):
        kind = "functional" if source.function else "stdin"
        return json.dumps([{"input": given, "output": wanted, "testtype": kind} for given, wanted in pairs])

    private = tests(source.private)
    if source.packed:
        private = base64.b64encode(zlib.compress(pickle.dumps(private))).decode()
    return json.dumps(
        {
            "question_title": source.title,
            "question_content": source.content,
            "platform": source.platform,
            "question_id": source.id,
            "contest_id": source.id.split("_")[0],
            "contest_date": source.day,
            "starter_code": source.starter,
            "difficulty": source.difficulty,
            "public_test_cases": tests(source.public),
            "private_test_cases": private,
            "metadata": json.dumps({"func_name": source.function} if source.function else {}),
        }
    )


def by_id() -> dict[str, Source]:
    return {source.id: source for source in SOURCES}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    FILE.write_text("".join(line(source) + "\n" for source in SOURCES), encoding="utf-8")
    sys.stdout.write(f"{len(SOURCES)} problems in {FILE}\n")
