"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from results.files import user_path
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder

ANY_LOSS = "any"  # no margin
_MOST_COMPLETED = 200
_MOST_TAGGED = 100  # the newest runs, of which the tags are completed
_MOST_READ = 2000  # the newest runs, whose labels are completed


class UserPath(click.Path):
    """A path from the user, read by `results.files.user_path`."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(path_type=Path, **facts)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(user_path(value), param, ctx)


class ModelName(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """What `servers.models.resolve` takes. Completes files, and the names of models that other programs keep here."""

    name = "model"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        del ctx, param
        return model_completions(incomplete)


def model_completions(typed: str) -> list[CompletionItem]:
    """Names of models that begin so, and files."""
    from click.shell_completion import CompletionItem

    from servers.library.listing import kept_names

    names = [plain(name) for name in kept_names() if name.startswith(typed)]
    return [*map(CompletionItem, names[:_MOST_COMPLETED]), CompletionItem(typed, type="file")]


class RunName(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """What names a run, read by `RunFolder.find`. Completes labels, and ids, newest first, with the model as help.

    several: the parameter takes several names, each of them one run or pattern.
    """

    name = "run"

    def __init__(self, *, several: bool = False) -> None:
        self._several = several

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from results.store.run_folder import all_folders

        return _completed(ctx, param, incomplete, all_folders, several=self._several)


class SweepName(click.ParamType):  # type: ignore[type-arg] # see above
    """What names a sweep, read by `SweepFolder.find`. Completes ids, newest first, with the manifest as help."""

    name = "sweep"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from results.store.sweep_folder import all_sweeps

        return _completed(ctx, param, incomplete, all_sweeps)


class SampleName(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """What names a sample, read by `RunAnswers.task_id`. Completes ids, with the outcome as help.

    run: the parameter that names the run.
    """

    name = "task"

    def __init__(self, run: str) -> None:
        self._run = run

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from results.errors import BenchError
        from results.folders import default_results_dir
        from results.store.answers import read_answers
        from results.store.run_folder import RunFolder

        del param
        try:
            folder = RunFolder.find(
                ctx.params.get("results_dir") or default_results_dir(), ctx.params.get(self._run) or ""
            )
            answers = read_answers(folder)
        except BenchError:  # nothing can be said in the middle of a command line
            return []
        outcomes = {each.task_id: str(each.outcome) for each in answers.completions.values()}
        fitting = [each for each in outcomes if each.casefold().startswith(incomplete.casefold())]
        return [CompletionItem(plain(each), help=outcomes[each]) for each in fitting[:_MOST_COMPLETED]]


class TagName(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """A tag of samples, such as difficulty. Completes those that the newest runs' samples have."""

    name = "tag"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from results.errors import BenchError
        from results.folders import default_results_dir
        from results.store.reading.tag_names import tag_names
        from results.store.run_folder import all_folders

        del param
        try:
            folders = [*all_folders(ctx.params.get("results_dir") or default_results_dir())][-_MOST_TAGGED:]
        except BenchError:  # nothing can be said in the middle of a command line
            return []
        return [CompletionItem(plain(name)) for name in tag_names(folders) if name.startswith(incomplete)]


class Margin(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """Points above 0 and below 100, as a float, or ANY_LOSS."""

    name = "points"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == ANY_LOSS or isinstance(value, float):
            return value
        try:
            points = float(value)
        except ValueError:
            points = 0.0
        if not 0 < points < 100:
            option = param.opts[0] if param is not None else ""
            self.fail(
                f"{value!r} is not a number of points such as 5; put {option} after the runs", param, ctx
            )
        return points


class SweepOrRunName(click.ParamType):  # type: ignore[type-arg] # generic only in newer versions of click
    """What names a sweep or a run. Completes the ids of both."""

    name = "sweep or run"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found: list[CompletionItem] = []
        for kind in (SweepName(), RunName()):
            found += kind.shell_complete(ctx, param, incomplete)
        return found


def named_argument(kind: click.ParamType, *, required: bool = True) -> Callable[..., Any]:  # type: ignore[type-arg]
    """The argument `name` of a command that takes one run or sweep, whose words may be unquoted. None if there are no
    words.
    """

    def joined(_ctx: click.Context, _param: click.Parameter, words: tuple[str, ...]) -> str | None:
        return " ".join(words) if words else None

    metavar = f"{kind.name.upper()}..." if required else f"[{kind.name.upper()}...]"
    return click.argument("name", metavar=metavar, nargs=-1, required=required, type=kind, callback=joined)


def _completed(
    ctx: click.Context,
    param: click.Parameter,
    incomplete: str,
    folders: Callable[[Path], Iterable[RunFolder | SweepFolder]],
    *,
    several: bool = False,
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from results.errors import BenchError
    from results.folders import default_results_dir

    if ctx.params.get(param.name or "") and not several:  # another word of a name; an id needs none
        return []
    try:
        there = [*folders(ctx.params.get("results_dir") or default_results_dir())][::-1]
    except BenchError:  # nothing can be said in the middle of a command line
        return []
    newest = [folder for folder in there if folder.path.name.startswith(incomplete)][:_MOST_COMPLETED]
    found = [(folder.path.name, folder.facts()) for folder in newest]
    labels = [(facts.label, facts) for _, facts in found]
    if not incomplete[:1].isdigit():
        labels += [
            (facts.label, facts) for facts in (each.facts() for each in there[:_MOST_READ]) if facts.label
        ]
    labels = [(label, facts) for label, facts in labels if label and label.startswith(incomplete)]
    shown = dict([*labels, *((name, facts) for name, facts in found if not facts.hidden)])
    return [
        CompletionItem(plain(name), help=plain(next(iter(facts.texts), ""))) for name, facts in shown.items()
    ]


def find_sweep_or_run(results_dir: Path, name: str, *, alone: bool = True) -> SweepFolder | RunFolder:
    """The sweep or the run of that name; alone: the name of one is rather a sweep, one of several rather a run.

    Raises UsageError, ResultsError.
    """
    from results.errors import UsageError
    from results.store.names import AmbiguousName
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder

    kinds: list[type[SweepFolder | RunFolder]] = (
        [SweepFolder, RunFolder] if alone else [RunFolder, SweepFolder]
    )
    try:
        return kinds[0].find(results_dir, name)
    except UsageError as first:
        try:
            return kinds[1].find(results_dir, name)
        except UsageError as second:
            if isinstance(first, AmbiguousName):
                raise first from None
            raise UsageError(f"{first.message}, and {second.message}", hint=second.hint) from None


results_dir_option = click.option(
    "--results-dir",
    type=UserPath(file_okay=False),
    help="Where runs are kept.  [default: $BENCH_RESULTS_DIR or ./benchmark_results]",
)

max_concurrent_option = click.option(
    "--max-concurrent", type=click.IntRange(1), metavar="N", help="Runs at once.  [default: one per GPU]"
)

test_mode_option = click.option("--test-mode", is_flag=True, help="Only 5 samples per benchmark.")

server_arg_option = click.option(
    "--server-arg",
    "server_args",
    multiple=True,
    metavar="ARG",
    help="Passed to the server unchanged; may be repeated.",
)

notify_option = click.option(
    "--notify",
    metavar="COMMAND",
    help="Run this at the end, however it ends, with {id}, {status} and {score} filled in;"
    " `desktop` shows a notification.",
)

price_option = click.option(
    "--price-per-kwh",
    metavar="PRICE",
    type=click.FloatRange(0, 1000),
    envvar="BENCH_PRICE_PER_KWH",
    help="Show what the energy costs, in your currency.  [default: $BENCH_PRICE_PER_KWH]",
)
