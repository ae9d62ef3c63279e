"""Problems whose programs read their input and print."""
# ruff: noqa: E501 - programs and data

from __future__ import annotations

import decimal

from tests.evaluation.lcb_sources import Source, laxer, right, stricter, wrong

TWO_TO_19999 = format(decimal.Context(prec=7000).power(2, 19999), "f")  # an int has too many digits for str()

PROGRAMS = [
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
]  # fmt: skip
