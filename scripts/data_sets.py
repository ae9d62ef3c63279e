"""Fetch the data sets of benchmarks and suites, or list them: `python -m scripts.data_sets fetch NAME... | list`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from evaluation.benchmarks.evalplus.released import RELEASES, fetch_release, forget_release, release_facts
from results.errors import BenchError, UsageError
from results.files import user_path
from results.json_text import encode
from results.plain_text import cell, indented

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from evaluation.data.hub_data import HubData


def main(argv: Sequence[str]) -> int:
    """Print each data set as a line of JSON. Returns the exit code of the first error, 0 if there is none; one data set
    that fails doesn't stop the others.
    """
    parser = argparse.ArgumentParser(prog="python -m scripts.data_sets", description=__doc__)
    parser.add_argument("action", choices=("fetch", "list"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--renew", action="store_true")
    asked = parser.parse_args(argv)
    try:
        released = [name for name in asked.names or RELEASES if name in RELEASES]
        names = [name for name in asked.names if name not in RELEASES]
        known = _known(names) if names or not asked.names else []
        if asked.action == "list":
            for line in [*_listed(known), *map(release_facts, released)]:
                _print(line)
            return 0
        codes = [
            _fetch_all(known, renew=asked.renew),
            *(_fetch_release(name, renew=asked.renew) for name in released),
        ]
        return next((code for code in codes if code), 0)
    except BenchError as error:
        return _explain(error)
    except KeyboardInterrupt:
        return 130


def _known(names: Sequence[str]) -> list[tuple[str, str, HubData]]:
    """Suite, task and data set: of these names and suite files, or of all that are part of the program.

    Raises UsageError for another name.
    """
    from evaluation.benchmarks.hub_data import benchmarks_hub_data
    from settings.suites import is_suite_file, shipped_suites

    every = {name: [("", data) for data in some] for name, some in benchmarks_hub_data().items()}
    shipped = shipped_suites()
    for name in names or shipped:
        if name in shipped or is_suite_file(name):
            every[name] = _of_suite(shipped.get(name) or user_path(name))
        elif name not in every:
            known = sorted({*every, *shipped, *RELEASES})
            raise UsageError(
                f"no data set belongs to {name!r}", hint=f"one of {', '.join(known)}, or a suite file"
            )
    return [(name, task, data) for name in names or sorted(every) for task, data in every[name]]


def _of_suite(path: Path) -> list[tuple[str, HubData]]:
    """Of each task: its rows, and the split that its examples come from; files of the user's own need no fetching."""
    from evaluation.suites.loader import read_suite_file
    from evaluation.suites.rows import examples_data, hub_data

    found = []
    for name, task in read_suite_file(path).suite.tasks.items():
        if task.data.hub:
            found.append((name, hub_data(task.data)))
        examples = examples_data(task.data, task.few_shot) if task.few_shot else None
        if examples:
            found.append((name, examples))
    return found


def _fetch_all(known: Iterable[tuple[str, str, HubData]], *, renew: bool) -> int:
    from evaluation.data.hub import fetch_data
    from evaluation.data.pins import forget_pin

    codes = []
    for name, task, data in known:
        print(cell(f"fetching {data} for {name}{f'/{task}' if task else ''}"), file=sys.stderr, flush=True)
        try:
            if renew:
                forget_pin(data)
            fetched = fetch_data(data)
        except BenchError as error:
            codes.append(_explain(error))
            continue
        _print({**_facts(name, task, data), "paths": [str(path) for path in fetched.paths]})
    return next(iter(codes), 0)


def _fetch_release(name: str, *, renew: bool) -> int:
    try:
        if renew:
            forget_release(name)
        path = fetch_release(name, say=lambda text: print(cell(text), file=sys.stderr, flush=True))
    except BenchError as error:
        return _explain(error)
    _print({**release_facts(name), "paths": [str(path)]})
    return 0


def _listed(known: Iterable[tuple[str, str, HubData]]) -> list[dict[str, Any]]:
    return [_facts(name, task, data) for name, task, data in known]


def _facts(name: str, task: str, data: HubData) -> dict[str, Any]:
    """revision: as asked for at the first use. commit: what it was then. here: its files are on this machine."""
    from evaluation.data.hub import is_here
    from evaluation.data.pins import read_pin

    pin = read_pin(data)
    return {
        "suite": name,
        "task": task,
        "repository": data.repository,
        "config": data.config,
        "split": data.split,
        "names": data.patterns,
        "revision": data.revision_asked,
        "here": is_here(data),
        "commit": pin.commit if pin else None,
        "files": [
            {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256} for file in pin.files
        ]
        if pin
        else None,
    }


def _print(facts: dict[str, Any]) -> None:
    print(encode(facts).decode(), flush=True)


def _explain(error: BenchError) -> int:
    hint = f"\ntry: {indented(error.hint)}" if error.hint else ""
    print(f"error: {indented(error.message)}{hint}", file=sys.stderr, flush=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
