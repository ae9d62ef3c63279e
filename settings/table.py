"""The table of settings: everything that a user can set for a run, declared once.

From it come the options of `run` and `sweep` with help and completion, manifests with schema and errors, the config in
a record, fingerprints, and the rules of --resume, `rerun` and `compare`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.benchmark_settings import BENCHMARK_SETTINGS
from settings.benchmarks import BENCHMARKS, NAME
from settings.metric_texts import PATTERN
from settings.optimising.rows import OPTIMISER_SETTINGS
from settings.parsers import PARSERS
from settings.sampling_settings import SAMPLING_SETTINGS
from settings.scoring.options import SCORING_SETTINGS
from settings.server_settings import SERVER_SETTINGS
from settings.setting import MOST, Determines, Section, Setting
from settings.spending.options import SPENDING_SETTINGS
from settings.suites import shipped_suites

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_SHARDS = 1000
_A_FILE = r".*/.*|.*\.py"

SETTINGS = (
    Setting(
        name="benchmark",
        kind="text",
        help="The benchmark; or a suite, by its name (`suites list`) or its YAML file; with --script, any name.",
        section=Section.BENCHMARK,
        determines=Determines.RESULT,
        choices=tuple(BENCHMARKS),
        more_choices=tuple(shipped_suites()),
        also=rf"{NAME.pattern}|.+\.ya?ml",
    ),
    Setting(
        name="script",
        kind="path",
        help="Run this program instead of ours.",
        section=Section.BENCHMARK,
        determines=Determines.RESULT,
        metavar="FILE",
    ),
    Setting(
        name="script_args",
        kind="words",
        help="Arguments of --script, with placeholders: '--url {base_url} --model {model}'.",
        section=Section.BENCHMARK,
        determines=Determines.RESULT,
        metavar="WORDS",
        may_hold_secret=True,
    ),
    Setting(
        name="parser",
        kind="text",
        help="The parser of the script's output: a name, or a Python file.",
        section=Section.BENCHMARK,
        determines=Determines.RESULT,
        choices=tuple(PARSERS),
        also=_A_FILE,
        default_text="the benchmark's own",
    ),
    Setting(
        name="metrics",
        kind="text",
        help="Also measure each answer by functions of your own, such as mine.words of mine.py.",
        section=Section.BENCHMARK,
        determines=Determines.RESULT,
        metavar="FILE.FUNCTION,...",
        pattern=PATTERN,
        not_for=("speed", "kld", "ifeval"),
        to_script=True,
    ),
    *SERVER_SETTINGS,
    *SAMPLING_SETTINGS,
    Setting(
        name="shards",
        kind="whole",
        help="Split the run by its samples into N that may run at once, on other devices or machines; then merge them.",
        section=Section.SAMPLING,
        determines=Determines.NOTHING,
        metavar="N",
        minimum=1,
        maximum=MOST_SHARDS,
    ),
    *SCORING_SETTINGS,
    *OPTIMISER_SETTINGS,
    *SPENDING_SETTINGS,
    Setting(
        name="ready_timeout",
        kind="number",
        help="How long to wait for the server to be ready, in seconds.",
        section=Section.PATIENCE,
        determines=Determines.NOTHING,
        metavar="S",
        above=0,
        default=600.0,
    ),
    Setting(
        name="stall_timeout",
        kind="number",
        help="Restart the server after S seconds without progress.",
        section=Section.PATIENCE,
        determines=Determines.NOTHING,
        metavar="S",
        above=0,
        default=120.0,
    ),
    Setting(
        name="request_timeout",
        kind="number",
        help="How long to wait for one answer, in seconds.",
        section=Section.PATIENCE,
        determines=Determines.NOTHING,
        metavar="S",
        minimum=0.1,
        maximum=86_400,
        default=600.0,
        to_script=True,
    ),
    Setting(
        name="rate_limit_patience",
        kind="number",
        help="How long a provider may refuse one request for its rate limits, in seconds; then the run stops.",
        section=Section.PATIENCE,
        determines=Determines.NOTHING,
        metavar="S",
        minimum=0,
        maximum=604_800,
        default=600.0,
        to_script=True,
    ),
    Setting(
        name="script_timeout",
        kind="number",
        help="Stop the script S seconds after the server is ready.",
        section=Section.PATIENCE,
        determines=Determines.NOTHING,
        metavar="S",
        above=0,
        default_text="none",
    ),
    Setting(
        name="max_restarts",
        kind="whole",
        help="Restart the server at most N times in one run.",
        section=Section.PATIENCE,
        determines=Determines.NOTHING,
        metavar="N",
        minimum=0,
        maximum=MOST,
        default=3,
    ),
    *BENCHMARK_SETTINGS,
)

Table = dict[str, Setting]


def table_of(settings: Iterable[Setting]) -> Table:
    """The settings by name, in the order of --help."""
    return {setting.name: setting for setting in settings}


TABLE: Mapping[str, Setting] = table_of(SETTINGS)
