"""All commands by what they are for, each with its module and a line of help, so that --help imports none of them."""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """module: where the command is; None for those of bench_runner.py."""

    module: str | None
    help: str


SECTIONS: dict[str, dict[str, Listed]] = {
    "Before a run": {
        "doctor": Listed(None, "Show what this machine has, and how to get what is missing."),
        "models": Listed("commands.models", "List the models here, by the names that --model takes."),
        "fit": Listed("commands.fit", "Show which context, slots and layers of a model fit on a card."),
        "tasks": Listed("commands.tasks", "Validate a file of your own coding tasks."),
    },
    "Run": {
        "run": Listed(None, "Run one benchmark on one model."),
        "sweep": Listed("commands.sweep", "Run a matrix of models, settings and benchmarks."),
        "status": Listed("commands.sweep", "Show the progress of one sweep, or of all sweeps."),
        "cancel": Listed("commands.sweep", "Stop a running sweep cleanly."),
        "retry": Listed("commands.sweep", "Try a sweep's failed runs again."),
        "rerun": Listed("commands.rerun", "Repeat a recorded run and compare the two."),
        "rejudge": Listed("commands.rejudge", "Judge a run's answers again, under today's rules."),
    },
    "Look at results": {
        "list": Listed(None, "List all runs, oldest first."),
        "show": Listed(None, "Show one run."),
        "inspect": Listed("commands.inspect", "Show single answers of a run, and why they failed."),
        "compare": Listed("commands.compare", "Compare two runs on the same samples."),
        "leaderboard": Listed("commands.leaderboard", "Rank runs, and say which differences are real."),
        "report": Listed("commands.report", "Write a page about a sweep or any runs."),
    },
    "Keep results": {
        "label": Listed("commands.remarks", "Give a run a label, by which every command knows it."),
        "note": Listed("commands.remarks", "Add a line to a run's note."),
        "archive": Listed("commands.remarks", "Put runs away, out of lists and tables."),
        "delete": Listed("commands.delete", "Delete runs for good."),
        "prune": Listed("commands.prune", "Delete old runs by a rule, and empty the cache."),
        "export": Listed("commands.export", "Write runs as CSV or Parquet, or as one file for a colleague."),
        "merge": Listed("commands.merge", "Take over runs from another machine or an archive."),
    },
    "Set up": {
        "completion": Listed(None, "Print the shell's completion code."),
        "schema": Listed(None, "Print the JSON Schema of manifests."),
    },
}

COMMANDS = {name: listed for section in SECTIONS.values() for name, listed in section.items()}
