"""The page of the shipped suites, from their files: `python -m tests.suites_page > docs/shipped-suites.md`."""

from __future__ import annotations

from evaluation.suites.loader import read_suite_file
from settings.suites import shipped_suites

_HEAD = """\
# The shipped suites

Made by `python -m tests.suites_page` from the files in `evaluation/suites/data/`, which you can
copy and change. [`data fetch NAME`](data.md) fetches the data of one.

No suite names a commit or a hash of its data: the first fetch on your machine pins them. Where lm-eval 0.4.13 has a
task on the same data, prompts, choices and answers are those of its file (tested on rows of our own against lm-eval's
code); a file's first lines say where not, and whose the prompt is otherwise. The licence is that of the data, as its
page on the Hub states it; `unknown` where we have not seen one. The data itself is not part of this program.
"""


def page() -> str:
    """The whole page."""
    files = [read_suite_file(path).suite for path in shipped_suites().values()]
    lines = [_HEAD, "| suite | what | licence of the data | tasks |", "|---|---|---|---|"]
    lines += [f"| `{suite.name}` | {suite.about} | {suite.licence} | {len(suite.tasks)} |" for suite in files]
    lines += [
        "",
        "| task | data set, split | answered by | metrics, the main one first |",
        "|---|---|---|---|",
    ]
    for suite in files:
        for name, task in suite.tasks.items():
            data = ", ".join(
                part for part in (f"`{task.data.hub}`", task.data.config, task.data.split) if part
            )
            shown = suite.name if len(suite.tasks) == 1 else f"{suite.name}/{name}"
            metrics = ", ".join(task.metrics)
            lines.append(
                f"| {shown} | {data} | {_KINDS[type(task.answer).__struct_config__.tag]} | {metrics} |"
            )
    return "\n".join(lines) + "\n"


_KINDS = {
    "choice": "the likeliest continuation; a letter where a server tells no likelihoods",
    "letter": "the likeliest letter, or the written one",
    "number": "a number",
    "exact": "a text",
    "span": "a short text",
    "labels": "one of some words",
    "summary": "a text",
    "code": "a program",
}

if __name__ == "__main__":
    print(page(), end="")
