"""`label`, `note` and `archive`: what a user says of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.options import RunName, results_dir_option
from results.errors import UsageError
from results.folders import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from pathlib import Path

LABEL_EXAMPLES = """
\b
Examples:
  bench_runner.py label last baseline
  bench_runner.py compare baseline last
  bench_runner.py label 'Q4_K_M human_eval' "flash attention"
  bench_runner.py label last baseline --move
"""
NOTE_EXAMPLES = """
\b
Examples:
  bench_runner.py note last "the window was open, so the card was cool"
  bench_runner.py note last
  bench_runner.py note last --remove
"""
ARCHIVE_EXAMPLES = """
\b
Examples:
  bench_runner.py archive last
  bench_runner.py archive '*Q2_K*' 20261121T0346
  bench_runner.py list --archived
  bench_runner.py archive '*Q2_K*' --undo
"""


@click.command(epilog=LABEL_EXAMPLES)
@click.argument("name", metavar="RUN", type=RunName())
@click.argument("text", metavar="[LABEL]", required=False)
@click.option("--move", is_flag=True, help="Take the label from the run that has it.")
@click.option("--remove", is_flag=True, help="Remove the run's label.")
@results_dir_option
def label(*, name: str, text: str | None, move: bool, remove: bool, results_dir: Path | None) -> None:
    """Give a run a label, by which every command then knows it. Without LABEL, print it.

    A label belongs to one run. It is no result: it changes no score and no comparison.
    """
    from results.store.remarks import RunRemarks, checked_label
    from results.store.run_folder import RunFolder

    if remove and (text is not None or move):
        raise UsageError("--remove takes no label", hint=f"label {name} --remove")
    results_dir = results_dir or default_results_dir()
    wanted = None if text is None else checked_label(text)
    folder = RunFolder.find(results_dir, name)
    if wanted is None and not remove:
        if there := folder.read_record().remarks.label:
            say(there)
        return
    record = RunRemarks(results_dir, warn).label(folder, wanted or "", move=move)
    said = f"is now {record.remarks.label!r}" if wanted else "has no label any more"
    say(f"{folder.run_id} {said}")


@click.command(epilog=NOTE_EXAMPLES)
@click.argument("name", metavar="RUN", type=RunName())
@click.argument("text", metavar="[TEXT]", required=False)
@click.option("--remove", is_flag=True, help="Remove the whole note.")
@results_dir_option
def note(*, name: str, text: str | None, remove: bool, results_dir: Path | None) -> None:
    """Add a line to a run's note. Without TEXT, print it.

    `show` prints it too. It is no result: it changes no score and no comparison.
    """
    from results.store.remarks import RunRemarks
    from results.store.run_folder import RunFolder

    if remove and text is not None:
        raise UsageError("--remove takes no text", hint=f"note {name} --remove")
    if text is not None and not text.strip():
        raise UsageError("an empty note", hint=f"to remove the note: note {name} --remove")
    results_dir = results_dir or default_results_dir()
    folder = RunFolder.find(results_dir, name)
    if remove or text is not None:
        record = RunRemarks(results_dir, warn).note(folder, (text or "").strip())
        say(f"{folder.run_id} {'is noted' if record.remarks.note else 'has no note any more'}", err=True)
    else:
        record = folder.read_record()
    if record.remarks.note:
        say(record.remarks.note)


@click.command(epilog=ARCHIVE_EXAMPLES)
@click.argument("names", metavar="RUN...", nargs=-1, required=True, type=RunName(several=True))
@click.option("--undo", is_flag=True, help="Show the runs again.")
@results_dir_option
def archive(*, names: tuple[str, ...], undo: bool, results_dir: Path | None) -> None:
    """Put runs away: list, leaderboard and last pass over them. Nothing is removed.

    Each RUN is a name (in quotes if it has several words) or a pattern of ids, labels or models. Archived runs are
    shown by list --archived and leaderboard --archived, are still found by their id or label, and stay in their
    sweep's status and report.
    """
    from commands.run_choice import find_runs
    from results.records import RunStatus
    from results.store.remarks import RunRemarks

    results_dir = results_dir or default_results_dir()
    records = [(folder, folder.read_record()) for folder in find_runs(results_dir, names)]
    for folder, record in records:
        if not undo and folder.effective_status(record) is RunStatus.STARTED:
            raise UsageError(f"{folder.run_id} is still running", hint="wait until it ends, or stop it")
    wrong = [folder for folder, record in records if record.remarks.archived == undo]
    remarks = RunRemarks(results_dir, warn)
    if wrong:
        remarks.archive(wrong, archived=not undo)
    for folder in wrong:
        say(f"{folder.run_id} is {'shown again' if undo else 'archived'}")
    if not wrong:
        say(f"nothing to do: {'none of them is archived' if undo else 'archived already'}")
