"""Problems in LiveCodeBench's own format, written for these tests, with solutions that are right and such that are not.

`python -m tests.evaluation.lcb_problems` writes `fixtures/lcb/problems.jsonl`.
"""
# ruff: noqa: E501, Q003 - programs and data

from __future__ import annotations

import base64
import decimal
import json
import pickle
import sys
import textwrap
import zlib
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("fixtures") / "lcb"
FILE = FOLDER / "problems.jsonl"
TWO_TO_19999 = format(decimal.Context(prec=7000).power(2, 19999), "f")  # an int has too many digits for str()


class Attempt(NamedTuple):
    """name: of the attempt. ours, official: the verdicts, which differ where the official runner has a fault."""

    name: str
    code: str
    ours: bool
    official: bool


class Source(NamedTuple):
    id: str
    title: str
    platform: str
    difficulty: str
    day: str
    content: str
    starter: str
    function: str | None
    public: list[tuple[str, str]]
    private: list[tuple[str, str]]
    packed: bool
    attempts: list[Attempt]


def right(code: str, name: str = "reference") -> Attempt:
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=True, official=True)


def wrong(name: str, code: str) -> Attempt:
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=False, official=False)


def stricter(name: str, code: str) -> Attempt:
    """Right, and failed by the official runner all the same."""
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=True, official=False)


def laxer(name: str, code: str) -> Attempt:
    """Passed by the official runner alone."""
    return Attempt(name, textwrap.dedent(code).lstrip("\n"), ours=False, official=True)


SOURCES = [
    Source(
        id="kiosk_a",
        title="Change at the kiosk",
        platform="atcoder",
        difficulty="easy",
        day="2024-03-02T00:00:00",
        content="A kiosk takes a price P and a coin C, both whole. Print how much change is due, or `none` when the "
        "coin is worth less than the price.\n\nInput\n\nP and C on one line, apart by a blank.\n\nOutput\n\nThe "
        "change, or none.",
        starter="",
        function=None,
        public=[("3 5\n", "2\n"), ("7 5\n", "none\n")],
        private=[("5 5\n", "0\n"), ("1 1000000000000\n", "999999999999\n"), ("9 1\n", "none")],
        packed=False,
        attempts=[
            right("p, c = map(int, input().split())\nprint(c - p if c >= p else 'none')\n"),
            right("""
                import sys
                def main():
                    p, c = map(int, sys.stdin.readline().split())
                    if c < p:
                        print("none")
                        exit()
                    print(c - p)
                if __name__ == "__main__":
                    main()
            """, "main guard, exit()"),
            right("p, c = map(int, input().split())\nprint(c - p if c >= p else 'none', '\\n\\n')\n", "blanks behind"),
            right("p, c = map(int, input().split())\nprint(c - p if c >= p else 'none')\nimport sys\nsys.exit(3)\n", "exit code"),
            right("p, c = map(int, input().split())\nprint(f'{c - p}.00' if c >= p else 'none')\n", "2.00 is 2"),
            right("p, c = map(int, input().split())\nprint(f'+{c - p}' if c >= p else 'none')\n", "+2 is 2"),
            wrong("the other way", "p, c = map(int, input().split())\nprint(p - c if c >= p else 'none')\n"),
            wrong("Capital letter", "p, c = map(int, input().split())\nprint(c - p if c >= p else 'None')\n"),
            wrong("prints more", "p, c = map(int, input().split())\nprint('change:', c - p if c >= p else 'none')\n"),
            wrong("nothing", "p, c = map(int, input().split())\n"),
            wrong("a line more", "p, c = map(int, input().split())\nprint(0)\nprint(c - p if c >= p else 'none')\n"),
            wrong("syntax", "p, c = map(int, input().split()\nprint(c)\n"),
            wrong("raises at the end", "p, c = map(int, input().split())\nprint(c - p if c >= p else 'none')\nraise ValueError('no')\n"),
            wrong("float rounding", "p, c = map(float, input().split())\nprint(f'{c - p:.3g}' if c >= p else 'none')\n"),
            wrong("leaves early", "import os\np, c = map(int, input().split())\nprint(c - p if c >= p else 'none', flush=True)\nos._exit(0)\n"),
            wrong("swallows all", "try:\n    print(undefined)\nexcept BaseException:\n    pass\n"),
            wrong("answer of the first test", "print(2)\n"),
            wrong("empty", ""),
            wrong("prose", "The change is c - p."),
            stricter("a guard that is not last", """
                def main():
                    p, c = map(int, input().split())
                    print(c - p if c >= p else "none")
                if __name__ == "__main__":
                    main()
                done = True
            """),
            stricter("quit", "p, c = map(int, input().split())\nprint(c - p if c >= p else 'none')\nquit()\n"),
            stricter("from future", "from __future__ import annotations\np, c = map(int, input().split())\nprint(c - p if c >= p else 'none')\n"),
            stricter("bytes to stdout", "import sys\np, c = map(int, input().split())\nsys.stdout.buffer.write((str(c - p) if c >= p else 'none').encode())\n"),
            stricter("open(0)", "p, c = map(int, open(0).read().split())\nprint(c - p if c >= p else 'none')\n"),
            laxer("reads twice", """
                import sys
                sys.stdin.read()
                p, c = map(int, sys.stdin.read().split())
                print(c - p if c >= p else "none")
            """),
        ],
    ),
    Source(
        id="kiosk_b",
        title="Rows of the market",
        platform="atcoder",
        difficulty="medium",
        day="2024-03-02T00:00:00",
        content="A market has N rows of stalls. For each row its takings are given. Print the sum of each row, a row a "
        "line, then the largest sum.\n\nInput\n\nN, then N lines with the takings of a row, whole numbers.\n\nOutput"
        "\n\nN + 1 lines.",
        starter="",
        function=None,
        public=[("2\n1 2 3\n4 5\n", "6\n9\n9\n")],
        private=[
            ("1\n-1\n", "-1\n-1\n"),
            ("3\n1\n1 1\n1 1 1\n", "1\n2\n3\n3\n"),
            ("2\n" + "7 " * 2000 + "\n0\n", "14000\n0\n14000\n"),
        ],
        packed=True,
        attempts=[
            right("""
                n = int(input())
                sums = [sum(map(int, input().split())) for _ in range(n)]
                print(*sums, max(sums), sep="\\n")
            """),
            right("""
                import sys
                data = sys.stdin.read().split("\\n")
                sums = [sum(map(int, line.split())) for line in data[1:1 + int(data[0])]]
                for s in sums + [max(sums)]:
                    print(s, end="  \\n")
            """, "read, blanks behind lines"),
            right("""
                from sys import stdin
                n = int(stdin.readline())
                best = None
                for _ in range(n):
                    s = sum(map(int, stdin.readline().split()))
                    best = s if best is None else max(best, s)
                    print(s)
                print(best)
            """, "from sys import stdin"),
            right("""
                import sys
                it = iter(sys.stdin.readlines())
                n = int(next(it))
                sums = deque(sum(map(int, next(it).split())) for _ in range(n))
                sys.stdout.write("\\n".join(map(str, [*sums, max(sums)])))
            """, "a name that nobody imported"),
            wrong("on one line", """
                n = int(input())
                sums = [sum(map(int, input().split())) for _ in range(n)]
                print(*sums, max(sums))
            """),
            wrong("a blank line between", """
                n = int(input())
                sums = [sum(map(int, input().split())) for _ in range(n)]
                print(*sums, sep="\\n")
                print()
                print(max(sums))
            """),
            wrong("the smallest", """
                n = int(input())
                sums = [sum(map(int, input().split())) for _ in range(n)]
                print(*sums, min(sums), sep="\\n")
            """),
            wrong("reads too far", """
                n = int(input())
                sums = [sum(map(int, input().split())) for _ in range(n + 1)]
                print(*sums, max(sums), sep="\\n")
            """),
            stricter("lines of the buffer", """
                import sys
                input = sys.stdin.buffer.readline
                n = int(input())
                sums = [sum(map(int, input().split())) for _ in range(n)]
                print(*sums, max(sums), sep="\\n")
            """),
            stricter("iterates stdin", """
                import sys
                rows = [list(map(int, line.split())) for line in sys.stdin]
                sums = [sum(row) for row in rows[1:]]
                print(*sums, max(sums), sep="\\n")
            """),
            stricter("global", """
                best = -10**18
                def take(row):
                    global best
                    best = max(best, sum(row))
                    print(sum(row))
                for _ in range(int(input())):
                    take(list(map(int, input().split())))
                print(best)
            """),
        ],
    ),
    Source(
        id="1900_C",
        title="The mean of the tide",
        platform="codeforces",
        difficulty="medium",
        day="2024-04-17T10:35:00",
        content="The level of a tide is measured N times. Print the mean with exactly three digits behind the point."
        "\n\nInput\n\nN, then N numbers.\n\nOutput\n\nThe mean.",
        starter="",
        function=None,
        public=[("2\n1 2\n", "1.500\n")],
        private=[("1\n0\n", "0.000\n"), ("4\n1 1 1 2\n", "1.250\n"), ("3\n10 10 10\n", "10.000\n"), ("3\n1 1 2\n", "1.333\n")],
        packed=True,
        attempts=[
            right("n = int(input())\nvalues = list(map(float, input().split()))\nprint(f'{sum(values) / n:.3f}')\n"),
            right("n = int(input())\nvalues = list(map(int, input().split()))\nprint(Decimal := round(sum(values) / n, 3))\n", "fewer zeros"),
            right("n = int(input())\nvalues = list(map(int, input().split()))\nprint('%.3e' % (sum(values) / n))\n", "1.500e+00 is 1.5"),
            wrong("all digits", "n = int(input())\nvalues = list(map(int, input().split()))\nprint(sum(values) / n)\n"),
            wrong("two digits", "n = int(input())\nvalues = list(map(int, input().split()))\nprint(f'{sum(values) / n:.2f}')\n"),
            wrong("a comma", "n = int(input())\nvalues = list(map(int, input().split()))\nprint(f'{sum(values) / n:.3f}'.replace('.', ','))\n"),
            wrong("never ends", "n = int(input())\nwhile True:\n    n += 1\n"),
            wrong("sleeps", "import time\nwhile True:\n    time.sleep(0.5)\n"),
            wrong("swallows the alarm", "import time\nwhile True:\n    try:\n        sum(range(10**6))\n    except Exception:\n        pass\n"),
        ],
    ),
    Source(
        id="1900_E",
        title="Deep cellar",
        platform="codeforces",
        difficulty="hard",
        day="2024-05-30T14:35:00",
        content="A cellar has N rooms in a row, each opens into the next. From room i one falls into room i + 1. Print "
        "how many rooms one falls through from the first to the last, by a rule of your choice, and two to the power of "
        "that.\n\nInput\n\nN.\n\nOutput\n\nTwo lines.",
        starter="",
        function=None,
        public=[("3\n", "2\n4\n")],
        private=[("1\n", "0\n1\n"), ("20000\n", f"19999\n{TWO_TO_19999}\n")],
        packed=True,
        attempts=[
            right("n = int(input())\nprint(n - 1)\nprint(2 ** (n - 1))\n"),
            right("""
                import sys, threading
                sys.setrecursionlimit(10**6)
                def fall(room, last):
                    return 0 if room == last else 1 + fall(room + 1, last)
                def main():
                    n = int(input())
                    depth = fall(1, n)
                    print(depth)
                    print(2 ** depth)
                threading.stack_size(64 << 20)
                thread = threading.Thread(target=main)
                thread.start()
                thread.join()
            """, "recursion in a thread"),
            right("""
                def fall(room, last):
                    return 0 if room == last else 1 + fall(room + 1, last)
                depth = fall(1, int(input()))
                print(depth, 2 ** depth, sep="\\n")
            """, "deep recursion, a number of six thousand digits"),
            wrong("a float", "n = int(input())\nprint(n - 1)\nprint(2.0 ** (n - 1))\n"),
            wrong("one more", "n = int(input())\nprint(n)\nprint(2 ** n)\n"),
            wrong("modulo", "n = int(input())\nprint(n - 1)\nprint(2 ** (n - 1) % (10**9 + 7))\n"),
        ],
    ),
    Source(
        id="3201",
        title="Pairs of boots",
        platform="leetcode",
        difficulty="easy",
        day="2024-03-30T00:00:00",
        content="Each boot has a size; two of one size are a pair. Return how many pairs there are.\n\nExample\n\n"
        "Input: sizes = [41, 42, 41]\nOutput: 1",
        starter="class Solution:\n    def countPairs(self, sizes: List[int]) -> int:\n        ",
        function="countPairs",
        public=[("[41, 42, 41]", "1")],
        private=[("[]", "0"), ("[40, 40, 40, 40, 40]", "2"), (json.dumps([*range(3000)] * 2), "3000")],
        packed=True,
        attempts=[
            right("""
                class Solution:
                    def countPairs(self, sizes: List[int]) -> int:
                        return sum(n // 2 for n in Counter(sizes).values())
            """),
            right("def countPairs(sizes):\n    return sum(sizes.count(s) // 2 for s in set(sizes))\n", "a plain function"),
            right("""
                class Solution:
                    def countPairs(self, sizes):
                        print("looking at", sizes)
                        return float(sum(n // 2 for n in Counter(sizes).values()))
                if __name__ == "__main__":
                    raise SystemExit("never here")
            """, "prints, 1.0 is 1, a guard"),
            right("""
                from fractions import Fraction
                class Solution:
                    def countPairs(self, sizes):
                        return sum((Fraction(n // 2) for n in Counter(sizes).values()), Fraction())
            """, "a fraction that is whole"),
            right("""
                from decimal import Decimal
                class Solution:
                    def countPairs(self, sizes):
                        return Decimal(sum(n // 2 for n in Counter(sizes).values()))
            """, "a decimal"),
            wrong("a fraction that is not whole", "from fractions import Fraction\nclass Solution:\n    def countPairs(self, sizes):\n        return Fraction(1, 2) + len(sizes)\n"),
            wrong("three of a kind", "class Solution:\n    def countPairs(self, sizes):\n        return len(sizes) - len(set(sizes))\n"),
            wrong("as text", "class Solution:\n    def countPairs(self, sizes):\n        return str(sum(n // 2 for n in Counter(sizes).values()))\n"),
            wrong("other name", "class Solution:\n    def pairs(self, sizes):\n        return 1\n"),
            wrong("prints instead", "class Solution:\n    def countPairs(self, sizes):\n        print(sum(n // 2 for n in Counter(sizes).values()))\n"),
            wrong("raises", "class Solution:\n    def countPairs(self, sizes):\n        return sizes[0] - sizes[0] + 1\n"),
            wrong("leaves", "import sys\nclass Solution:\n    def countPairs(self, sizes):\n        sys.exit(0)\n"),
            wrong("leaves hard", "import os\nclass Solution:\n    def countPairs(self, sizes):\n        os._exit(0)\n"),
            wrong("reads stdin", "class Solution:\n    def countPairs(self, sizes):\n        return int(input())\n"),
            stricter("remembers what it saw", """
                class Solution:
                    def __init__(self):
                        self.counts = Counter()
                    def countPairs(self, sizes):
                        self.counts.update(sizes)
                        return sum(n // 2 for n in self.counts.values())
            """),
        ],
    ),
    Source(
        id="3202",
        title="Split the rope",
        platform="leetcode",
        difficulty="medium",
        day="2024-04-06T00:00:00",
        content="A rope of the given length is cut at the given marks. Return the pieces, each as [begin, end], in "
        "order.\n\nExample\n\nInput: length = 5, marks = [2]\nOutput: [[0, 2], [2, 5]]",
        starter="class Solution:\n    def split(self, length: int, marks: List[int]) -> List[List[int]]:\n        ",
        function="split",
        public=[("5\n[2]", "[[0, 2], [2, 5]]")],
        private=[("4\n[]", "[[0, 4]]"), ("9\n[7, 1]", "[[0, 1], [1, 7], [7, 9]]")],
        packed=False,
        attempts=[
            right("""
                class Solution:
                    def split(self, length: int, marks: List[int]) -> List[List[int]]:
                        edges = [0, *sorted(marks), length]
                        return [[a, b] for a, b in pairwise(edges)]
            """),
            right("""
                class Solution:
                    def split(self, length, marks):
                        edges = [0, *sorted(marks), length]
                        return tuple([a, b] for a, b in zip(edges, edges[1:]))
            """, "a tuple of lists"),
            wrong("a list of tuples", """
                class Solution:
                    def split(self, length, marks):
                        edges = [0, *sorted(marks), length]
                        return list(zip(edges, edges[1:]))
            """),
            wrong("an iterator", """
                class Solution:
                    def split(self, length, marks):
                        edges = [0, *sorted(marks), length]
                        return ([a, b] for a, b in zip(edges, edges[1:]))
            """),
            wrong("not sorted", """
                class Solution:
                    def split(self, length, marks):
                        edges = [0, *marks, length]
                        return [[a, b] for a, b in zip(edges, edges[1:])]
            """),
            wrong("equal to everything", """
                class Anything(list):
                    def __eq__(self, other):
                        return True
                class Solution:
                    def split(self, length, marks):
                        return Anything()
            """),
        ],
    ),
    Source(
        id="3203",
        title="Names of the ferries",
        platform="leetcode",
        difficulty="hard",
        day="2024-05-04T00:00:00",
        content="For each ferry its name and seats are given. Return a dictionary from each name to the mean of its "
        "seats, and an empty one where there are no ferries.\n\nExample\n\nInput: names = [\"Ida\"], seats = [3]\n"
        "Output: {\"Ida\": 3}",
        starter="class Solution:\n    def means(self, names: List[str], seats: List[int]) -> Dict[str, float]:\n        ",
        function="means",
        public=[('["Ida"]\n[3]', '{"Ida": 3}')],
        private=[
            ("[]\n[]", "{}"),
            ('["Ida", "Åse", "Ida"]\n[1, 7, 2]', '{"Ida": 1.5, "Åse": 7}'),
            ('["a\\nb", "\\u00e9"]\n[1, 2]', '{"a\\nb": 1, "é": 2.0}'),
        ],
        packed=True,
        attempts=[
            right("""
                class Solution:
                    def means(self, names: List[str], seats: List[int]) -> Dict[str, float]:
                        found = defaultdict(list)
                        for name, n in zip(names, seats):
                            found[name].append(n)
                        return {name: mean(values) for name, values in found.items()}
            """),
            right("""
                class Solution:
                    def means(self, names, seats):
                        found = OrderedDict()
                        for name in reversed(names):
                            mine = [n for other, n in zip(names, seats) if other == name]
                            found[name] = sum(mine) / len(mine)
                        return found
            """, "another order, floats"),
            wrong("pairs", """
                class Solution:
                    def means(self, names, seats):
                        return [[name, n] for name, n in zip(names, seats)]
            """),
            wrong("whole numbers", """
                class Solution:
                    def means(self, names, seats):
                        return {a: sum(n for b, n in zip(names, seats) if a == b) // names.count(a) for a in names}
            """),
            wrong("None where empty", """
                class Solution:
                    def means(self, names, seats):
                        return {a: sum(n for b, n in zip(names, seats) if a == b) / names.count(a) for a in names} or None
            """),
        ],
    ),
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
