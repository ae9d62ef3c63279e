"""Problems that ask for a function."""
# ruff: noqa: E501, Q003 - programs and data

from __future__ import annotations

import json

from tests.evaluation.lcb_sources import Source, right, stricter, wrong

FUNCTIONS = [
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
]  # fmt: skip
