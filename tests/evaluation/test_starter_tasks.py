"""The starter set: its solutions pass, and solutions with the slips that people and models make fail."""

from __future__ import annotations

from collections import Counter

import pytest

from evaluation.benchmarks.tasks.file import DIFFICULTIES, read_task_file
from evaluation.benchmarks.tasks.grading import grade
from evaluation.benchmarks.tasks.prompts import user_prompt
from evaluation.benchmarks.tasks.task import STARTER_SET, known_solutions
from evaluation.protocols import PromptStyle

FILE = read_task_file(STARTER_SET)
TASKS = {task.id: task for task in FILE.tasks}

# What is wrong: the reference solution with one text replaced by another, or a whole other one.
GREEDY_ROOMS = """
def rent_rooms(rooms, offers):
    taken = []
    for first, last, price in sorted(offers, key=lambda offer: -offer[2]):
        if all(sum(f <= night <= l for f, l, _ in taken) < rooms for night in
               [first, *(f for f, _, _ in taken if first <= f <= last)]):
            taken.append((first, last, price))
    return sum(price for _, _, price in taken)
"""
NAIVE_CSV = """
import sys
rows = [line.rstrip("\\n").split(",") for line in sys.stdin]
for number, name in enumerate(rows[0]):
    fields = [row[number] for row in rows[1:]]
    if fields and all(field.lstrip("-").isdigit() for field in fields):
        print(f"{name}={sum(map(int, fields))}")
"""
FNMATCH = """
import fnmatch
def match_paths(pattern, paths):
    return [path for path in paths if fnmatch.fnmatchcase(path, pattern)]
"""
SLIPS = {
    "sum_receipt": [
        ("% 100:02d}", "% 100}"),
        ("line.split()[-1]", "line.split()[1]"),
        ("{sign}{abs(total) // 100}.{abs(total) % 100:02d}", "{total // 100}.{total % 100:02d}"),
        ('f"{sign}{abs(total) // 100}.{abs(total) % 100:02d}"', "total / 100"),
    ],
    "version_is_newer": [
        "def version_is_newer(candidate, installed):\n    return candidate > installed\n",
        ("left > right", "left >= right"),
        ("    left += [0] * (length - len(left))\n    right += [0] * (length - len(right))\n", ""),
    ],
    "mask_secrets": [
        ("[^ ]+", r"\\S*"),
        ("re.IGNORECASE | re.ASCII", "re.ASCII"),
        ("[^ ]+", r"\\w+"),
        (r"(\w*(?:token|password|key))", r"(\w*(?:token|password|key)\w*)"),
    ],
    "opening_hours": [
        ("begin <= time < end", "begin <= time <= end"),
        ("if begin < end", "if begin <= end"),
        ("time >= begin or time < end", "False"),
    ],
    "compress_pages": [
        ("len(run) > 2", "len(run) > 1"),
        ("sorted(set(pages))", "sorted(pages)"),
        ("sorted(set(pages))", "pages"),
    ],
    "merge_settings": [
        (
            "merge_settings(below if isinstance(below, dict) else {}, value)",
            "merge_settings(below, value) if isinstance(below, dict) else value",
        ),
        ("merged.pop(key, None)", "merged[key] = None"),
        "def merge_settings(base, override):\n    return {**base, **override}\n",
    ],
    "wrap_comment": [("> width", ">= width"), ("if line.strip()", "if line"), ('print("#")', "print()")],
    "sessions_from_log": [
        ("<= gap", "< gap"),
        ("sorted(events, key=lambda event: event[1])", "events"),
        ("time - of_user[-1][1]", "time - of_user[-1][0]"),
    ],
    "csv_column_sums": [NAIVE_CSV, (" and any(fields)", ""), ("-?[0-9]+", "[0-9]+")],
    "bounded_undo": [
        ("del done[0]", "pass"),
        ('undone.clear()\n            apply(("add"', 'apply(("add"'),
        ('command == "drop" and document', 'command == "drop" and (undone.clear() or document)'),
        ("command[4:]", "command[4:].strip()"),
    ],
    "build_order": [
        ("heapq.heappop(ready)", "ready.pop(0)"),
        ("blocked = sorted(set(needs) - built)", "blocked = []"),
        (
            "needs.setdefault(name.strip(), set()).update(rest.split())",
            "needs[name.strip()] = set(rest.split())",
        ),
    ],
    "free_slots": [
        ("at = max(at, end)", "at = end"),
        ("(start - pause, end + pause)", "(start - pause, end)"),
        ("stop - at >= minutes", "stop - at > minutes"),
        ("stop = min(start, last)", "stop = start"),
    ],
    "match_paths": [
        FNMATCH,
        ('part.startswith(".") and not text.startswith(".")', "False"),
        (' and not parts[part_at].startswith(".")', ""),
        ("re.escape(character)", "character"),
    ],
    "fill_template": [
        ("reversed(scopes)", "scopes"),
        ("isinstance(value, dict) or value", "value"),
        ('"" if value is None else str(value)', "str(value)"),
        ("scopes[-1]", "scopes[-1] or ''"),
    ],
    "fair_queue": [
        ("used[user] += jobs[number][2]", "used[user] += 1"),
        ("(used[name], first[name], name)", "(used[name], name)"),
        ("(used[name], first[name], name)", "(first[name], name)"),
        ("(jobs[number][1], number)", "(-jobs[number][2], number)"),
    ],
    "evaluate_sheet": [
        ("result //= operand()", "result = int(result / operand())"),
        ("c1, c2 = sorted((c1, c2))", "pass"),
        ("number = 26 * number +", "number ="),
        ('if "#CYCLE" in below', 'if "#CYCLE" in below and "#DIV" not in below'),
        ("return -operand()", "return -products()"),
    ],
    "rent_rooms": [GREEDY_ROOMS, ("index[last + 1], 1, -price", "index[last + 1], rooms, -price")],
    "count_rosters": [
        (" or rest >= 2 and today == before", ""),
        ("if (yesterday, today) in forbidden:\n            continue\n", "pass\n"),
        ("MOD = 1000000007", "MOD = 998244353"),
    ],
    "firewall_blocks": [
        ("for action, first, last in rules", "for action, first, last in rules[::-1]"),
        ("number // size * size", "number"),
        ("ranges[-1][1] == start", "False"),
    ],
    "filter_records": [
        ('return operator == "!="', "return False"),
        ("field in record and compare(record[field], operator", "compare(record.get(field), operator"),
        ("record.get(field) is True", "bool(record.get(field))"),
        ('if tokens[position][0] != "end":\n            raise Wrong\n', "pass\n"),
        ("if isinstance(left, bool):\n            return False\n", ""),
    ],
}


def wrong_solutions():
    for name, slips in SLIPS.items():
        for number, slip in enumerate(slips):
            yield pytest.param(name, slip, id=f"{name}-{number}")


def test_it_has_five_tasks_of_each_difficulty_with_four_cases_or_more():
    assert Counter(task.difficulty for task in FILE.tasks) == dict.fromkeys(DIFFICULTIES, 5)
    assert min(len(task.cases) for task in FILE.tasks) >= 4
    assert SLIPS.keys() == TASKS.keys()


@pytest.mark.parametrize("name", list(TASKS))
def test_the_reference_solution_passes(grader, name):
    found = grade(TASKS[name].reference_solution, TASKS[name], grader)
    assert found.passed, found.why
    assert found.weighted(TASKS[name]) == 1


@pytest.mark.parametrize(("name", "slip"), list(wrong_solutions()))
def test_a_plausible_wrong_solution_fails(grader, name, slip):
    """Protects the cases from being too few to tell a right answer from one that is nearly right."""
    right = TASKS[name].reference_solution
    if isinstance(slip, tuple):
        assert slip[0] in right
        wrong = right.replace(*slip)
    else:
        wrong = slip
    found = grade(wrong, TASKS[name], grader)
    assert not found.passed
    assert found.weighted(TASKS[name]) < 1


@pytest.mark.parametrize("style", list(PromptStyle))
def test_no_prompt_gives_its_solution_away(style):
    for task in FILE.tasks:
        prompt = user_prompt(task, style)
        body = [
            line for line in task.reference_solution.splitlines() if len(line) > 30 and "def " not in line
        ]
        assert not [line for line in body if line.strip() in prompt], task.id


def test_the_grader_is_tested_with_them_before_a_run(grader):
    good, bad = known_solutions(FILE.tasks)
    assert good
    assert bad
    grader.self_test(good, bad)
