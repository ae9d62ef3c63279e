"""The settings that single benchmarks have."""

from __future__ import annotations

from settings.setting import Determines, Section, Setting

_LEVEL = "(easy|medium|hard|extreme)"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_COUNT = "[1-9][0-9]{0,7}"
_COUNTS = f"{_COUNT}(,{_COUNT})*"


def _own(
    name: str,
    metavar: str,
    text: str,
    *benchmarks: str,
    pattern: str = "",
    is_path: bool = False,
    determines: Determines = Determines.RESULT,
) -> Setting:
    return Setting(
        name=name,
        kind="path" if is_path else "text",
        help=text,
        section=Section.OWN,
        determines=determines,
        metavar=metavar,
        pattern=pattern,
        benchmarks=benchmarks,
        to_script=True,
        may_hold_secret=True,
    )


BENCHMARK_SETTINGS = (
    _own(
        "release",
        "R",
        "Of the data: release_v6, v6 for what it added, v4_v6; default: release_v6.",
        "lcb",
        pattern="release_v[1-9][0-9]?|v[1-9][0-9]?(_v[1-9][0-9]?)?",
    ),
    _own(
        "dataset",
        "FILE",
        "The data set as a file, instead of fetching it.",
        "lcb",
        "gsm8k",
        "mmlu",
        is_path=True,
    ),
    _own("start_date", "DAY", "Contests from that day on.", "lcb", pattern=_DAY),
    _own("end_date", "DAY", "Contests up to that day.", "lcb", pattern=_DAY),
    _own("tasks", "FILE", "YAML or JSON; default: the starter set.", "tasks", is_path=True),
    _own(
        "difficulty",
        "LIST",
        "Only those, such as easy,hard.",
        "tasks",
        pattern=f"{_LEVEL}(,{_LEVEL})*",
    ),
    _own("sample", "N", "N tasks at random, of each difficulty its share.", "tasks", pattern=_COUNT),
    _own("sample_seed", "S", "Of --sample; default: 0.", "tasks", pattern="[0-9]{1,18}"),
    _own(
        "few_shot",
        "N",
        "Worked examples before each question: 0 to 8, of MMLU 0 to 5.",
        "gsm8k",
        "mmlu",
        pattern="[0-8]",
    ),
    _own(
        "answer_by",
        "auto|letter",
        "letter: written answers only, no log-probabilities.",
        "mmlu",
        pattern="auto|letter",
    ),
    _own(
        "concurrencies",
        "N,...",
        "Requests at once, one load each; default: 1 and the server's slots.",
        "speed",
        pattern=_COUNTS,
    ),
    _own("prompt_tokens", "N,...", "Length of the prompts; default: 512.", "speed", pattern=_COUNTS),
    _own("output_tokens", "N,...", "Length of the answers; default: 128.", "speed", pattern=_COUNTS),
    _own(
        "requests", "N", "Of each load; default: 10, or 5 for each of those at once.", "speed", pattern=_COUNT
    ),
)
