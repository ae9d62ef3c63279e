"""`watch-build`: whether a new build, driver or model file loses anything, and which build was the first to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from commands.options import RunName, notify_option, results_dir_option
from commands.setting_options import RunCommand, asked_by_options, setting_options
from results.folders import default_results_dir
from results.stats.sentinel import LOOKS_A_YEAR, MIN_SLOWDOWN, Alarm
from results.views.terminal import warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from choosing.build_search import SearchReport
    from choosing.watch_report import WatchReport

DROP_POINTS = 10.0

EXAMPLES = """
\b
Examples:
  bench_runner.py watch-build --benchmark human_eval --model some.gguf --gpu-layers 80
  bench_runner.py watch-build --benchmark gsm8k --model some.gguf --limit 400 --notify 'mail-me {status}'
  bench_runner.py watch-build --benchmark human_eval --model some.gguf --accept
  bench_runner.py watch-build --benchmark human_eval --model some.gguf --binaries 'builds/*/llama-server'
"""


class _Alarms(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """Some of the alarms, separated by commas, as a frozenset."""

    name = "alarms"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, frozenset):
            return value
        words = [word.strip() for word in str(value).split(",")]
        unknown = [word for word in words if word not in set(Alarm)]
        if unknown:
            self.fail(f"{unknown[0]!r} is none of {', '.join(Alarm)}", param, ctx)
        return frozenset(map(Alarm, words))


class _WatchCommand(RunCommand):
    """Like `run`, of which it repeats one."""

    own_options_first = True


@click.command("watch-build", cls=_WatchCommand, epilog=EXAMPLES)
@setting_options(several=False)
@click.option(
    "--baseline",
    metavar="RUN",
    type=RunName(),
    help="The run to compare with.  [default: the one so far, or the newest finished with these settings]",
)
@click.option("--accept", is_flag=True, help="Make today's build the baseline.")
@click.option(
    "--binaries",
    metavar="PATTERN",
    multiple=True,
    help="Find the first bad one of these builds, such as 'builds/*/llama-server'; may be repeated.",
)
@click.option(
    "--drop",
    metavar="POINTS",
    type=click.FloatRange(0, 100, min_open=True),
    default=DROP_POINTS,
    show_default=True,
    help="Choose so many samples that a score lower by that much is seen in four of five cases.",
)
@click.option(
    "--looks-per-year",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=LOOKS_A_YEAR,
    show_default=True,
    help="Keep the chance of any false alarm in so many looks at 5 %; fewer looks need fewer samples.",
)
@click.option(
    "--min-slowdown",
    metavar="PERCENT",
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    default=100 * MIN_SLOWDOWN,
    show_default=True,
    help="The smallest slowdown that is an alarm.",
)
@click.option(
    "--alarm-on",
    metavar="WORDS",
    type=_Alarms(),
    default=",".join(Alarm),
    show_default=True,
    help="What is an alarm; other changes are only reported.",
)
@notify_option
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
@results_dir_option
@click.argument("server_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVER ARGS...]")
@click.pass_obj
def watch_build(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    baseline: str | None,
    accept: bool,
    binaries: tuple[str, ...],
    drop: float,
    looks_per_year: int,
    min_slowdown: float,
    alarm_on: frozenset[Alarm],
    notify: str | None,
    as_json: bool,
    results_dir: Path | None,
    **options: Any,
) -> None:
    """Look whether a new build, driver or model file is worse than the baseline: in score, answers or speed.

    The first use records the baseline. Exits with 8 on an alarm. The same command, given again, runs only what has
    changed since.
    """
    from choosing.asked_runs import RunSource
    from choosing.watch_build import BuildWatch, WatchRequest
    from choosing.watch_text import print_report, print_search
    from results.compare.gate import GATE_FAILED
    from results.errors import UsageError
    from results.json_text import encode_indented
    from runner.display import display_for_stderr
    from runner.notification import notifying, read_notify

    tell = read_notify(notify)
    if accept and (baseline or binaries):
        other = "--baseline" if baseline else "--binaries"
        raise UsageError(
            f"--accept can't be combined with {other}", hint="--accept makes today's build the baseline"
        )
    for name in ("server_binary", "server_command", "base_url", "provider"):
        if binaries and options.get(name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"--binaries can't be combined with {option}", hint=f"leave out {option}")
    asked = asked_by_options(options)
    order = None
    if binaries:
        from choosing.builds import find_builds

        order = find_builds(binaries, asked["server"] or "llama.cpp")
    display = display_for_stderr()
    source = RunSource(
        name="watch-build",
        results_dir=(results_dir or default_results_dir()).absolute(),
        display=display,
        held=held,
    )
    request = WatchRequest(
        asked=asked,
        baseline=baseline,
        drop=drop / 100,
        looks_a_year=looks_per_year,
        min_slowdown=min_slowdown / 100,
        alarm_on=alarm_on,
        accept=accept,
    )
    report: WatchReport | SearchReport
    with notifying(tell, warn=warn) as ended:
        try:
            watch = BuildWatch(request, source)
            if order is None:
                report = look = watch.look()
                ended.run_id = (look.new or look.baseline)[-1]
                ended.score = look.scores[1] if look.scores is not None else None
                alarm = bool(look.alarms)
            else:
                from choosing.build_search import BuildSearch

                report = search = BuildSearch(watch, order).search()
                ended.run_id = watch.folder.watch_id
                alarm = search.first_bad is not None
        finally:
            display.close()
        ended.status = "alarm" if alarm else "succeeded"
    if as_json:
        click.echo(encode_indented(report).decode().rstrip())
    elif order is None:
        print_report(look)
    else:
        print_search(search)
    if alarm:
        sys.exit(GATE_FAILED)
