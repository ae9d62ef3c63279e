"""A data set of the Hugging Face Hub: fetched once, pinned by commit and hash, used without a network afterwards."""

from __future__ import annotations

import os
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from evaluation.data.files import files_sha256
from evaluation.data.hub_data import HubData
from evaluation.data.pins import keep_pin, new_pin, read_pin, verify
from results.errors import ScriptError
from results.extras import has_parquet, install_command
from results.plain_text import cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.data_pin import DataPin


_NUMBERED = re.compile(r"([0-9]{4})\.parquet")
_OF_SOME = re.compile(r"(.+)-[0-9]{5}-of-([0-9]{5})\.parquet")
_MOST_SHARDS = 10_000


class Fetched(NamedTuple):
    """paths: whole files on this machine, in order. sha256: of their content. commit: "" if a user put them there."""

    paths: tuple[Path, ...]
    sha256: str
    commit: str


def by_hand_folder() -> Path:
    """$XDG_DATA_HOME/bench_runner/data: files that a user copies to a machine without a network."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "bench_runner" / "data"


def fetch_data(asked: HubData, *, otherwise: str = "") -> Fetched:
    """Its files, the same ones at each use. otherwise: another way to give the data, for the hint of an error.

    They come from the folder for files put there by hand, the Hub's cache, or the Hub. Raises ScriptError if they can't
    be had, or are not the ones that were pinned; before anything is fetched if they could not be read.
    """
    pin = read_pin(asked)
    names, paths, commit = _pinned_files(asked, pin, otherwise) if pin else _first_files(asked, otherwise)
    if pin:
        verify(pin, paths)
    else:
        pin = new_pin(asked, commit, list(zip(names, paths, strict=True)))
    digest = pin.files[0].sha256 if len(paths) == 1 else files_sha256(paths)
    if asked.sha256 not in (None, digest):
        raise ScriptError(
            f"{asked} is not what its suite names: its sha256 is {digest}, not {asked.sha256}",
            hint="give the revision that has that hash, or correct sha256 in the suite's file",
        )
    keep_pin(asked, pin)
    return Fetched(tuple(paths), digest, commit)


def fetch_file(repository: str, name: str) -> Path:
    """A file of the main branch, for a benchmark with --dataset. Raises ScriptError as `fetch_data` does."""
    otherwise = "or give the data as JSON Lines with --dataset FILE.jsonl"
    return fetch_data(HubData(repository, files=(name,)), otherwise=otherwise).paths[0]


def is_here(asked: HubData) -> bool:
    """Whether its files are on this machine, so that no network is needed; their content is not looked at."""
    pin = read_pin(asked)
    if pin is None:
        cached = [_cached(asked, name, asked.revision_asked) for name in asked.files]
        put_there = _by_hand(asked)
        return (bool(put_there) and not _missing_shard(asked, put_there)) or (bool(cached) and all(cached))
    return all(_local(asked, pin, file.name) for file in pin.files)


def _pinned_files(asked: HubData, pin: DataPin, otherwise: str) -> tuple[Sequence[str], Sequence[Path], str]:
    names = [file.name for file in pin.files]
    found = [_local(asked, pin, name) for name in names]
    missing = [name for name, path in zip(names, found, strict=True) if path is None]
    if missing:
        _need_parquet(asked, missing, otherwise)
        for name in missing:
            found[names.index(name)] = _download(asked, name, pin.commit or asked.revision_asked, otherwise)
    return names, [path for path in found if path], pin.commit


def _first_files(asked: HubData, otherwise: str) -> tuple[Sequence[str], Sequence[Path], str]:
    if put_there := _by_hand(asked):
        folder = by_hand_folder() / asked.repository
        _require_whole(asked, put_there)
        return [path.relative_to(folder).as_posix() for path in put_there], put_there, ""
    _need_parquet(asked, asked.patterns, otherwise)
    if asked.files and (cached := [_cached(asked, name, asked.revision_asked) for name in asked.files]):
        there = [path for path in cached if path]
        if len(there) == len(asked.files):  # whole by their names; of a pattern, some could be missing
            return asked.files, there, _commit_of(there[0])
    commit, names = _listed(asked, otherwise)
    return names, [_download(asked, name, commit, otherwise) for name in names], commit


def _by_hand(asked: HubData) -> list[Path]:
    """The files that a user put in the folder, all of them or none."""
    folder = by_hand_folder() / asked.repository
    if asked.files:
        named = [folder / name for name in asked.files]
        return named if all(path.is_file() for path in named) else []
    base = folder / (asked.config or "default")
    if shards := sorted((base / asked.split).glob("*.parquet")):
        return shards
    return [path for suffix in (".jsonl", ".csv") if (path := base / f"{asked.split}{suffix}").is_file()][:1]


def _require_whole(asked: HubData, put_there: Sequence[Path]) -> None:
    """Raises ScriptError if one of several files was not copied. That some are missing at the end can't be seen of
    files that only have a number, so a warning says what is taken as the whole.
    """
    if missing := _missing_shard(asked, put_there):
        place = put_there[0].with_name(missing)
        raise ScriptError(
            f"{asked}: {place.parent} has {_counted(put_there)}, but not {missing}",
            hint=f"copy all files of the split there; {_page(asked)} has them",
        )
    if not asked.files and _NUMBERED.fullmatch(put_there[-1].name):
        told = f"warning: {asked} is taken as whole: {_counted(put_there)} in {put_there[0].parent}"
        print(cell(f"{told}; see {_page(asked)} for whether there are more"), file=sys.stderr)


def _missing_shard(asked: HubData, paths: Sequence[Path]) -> str:
    """The first that lacks among 0000.parquet, 0001.parquet, ... or NAME-00000-of-00002.parquet, ...; or nothing."""
    if asked.files:
        return ""  # whoever names files may want some of them
    names = {path.name for path in paths}
    last = max((int(found[1]) for name in names if (found := _NUMBERED.fullmatch(name))), default=-1)
    wanted = [f"{number:04}.parquet" for number in range(min(last, _MOST_SHARDS) + 1)]
    for found in filter(None, map(_OF_SOME.fullmatch, sorted(names))):
        wanted += [
            f"{found[1]}-{number:05}-of-{found[2]}.parquet"
            for number in range(min(int(found[2]), _MOST_SHARDS))
        ]
    return next((name for name in wanted if name not in names), "")


def _counted(paths: Sequence[Path]) -> str:
    if len(paths) == 1:
        return paths[0].name
    return f"{len(paths)} files, {paths[0].name} to {paths[-1].name}"


def _local(asked: HubData, pin: DataPin, name: str) -> Path | None:
    path = by_hand_folder() / asked.repository / name
    if path.is_file():
        return path
    return _cached(asked, name, pin.commit) if pin.commit else None


def _cached(asked: HubData, name: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(asked.repository, name, repo_type="dataset", revision=revision)
    return Path(found) if isinstance(found, str) else None


def _commit_of(path: Path) -> str:
    """The Hub's cache is snapshots/COMMIT/NAME."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts else ""


def _listed(asked: HubData, otherwise: str) -> tuple[str, list[str]]:
    """The commit of the revision, and the names of the files that it has."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RevisionNotFoundError

    there: list[str] = []
    for revision in asked.revisions:
        try:
            told = HfApi().dataset_info(asked.repository, revision=revision)
        except RevisionNotFoundError:
            continue
        except (
            Exception
        ) as error:  # every HTTP library's own, by version; whatever it is, the file is not there
            raise _not_fetched(asked, asked.patterns, error, otherwise) from error
        there.append(revision)
        names = _wanted(asked, sorted(sibling.rfilename for sibling in told.siblings or ()))
        if names and told.sha:
            return told.sha, names
    page = f"{hub_address()}/datasets/{asked.repository}"
    if not there:
        raise ScriptError(
            f"{asked.repository} has no revision {' or '.join(asked.revisions)} on the Hugging Face Hub",
            hint=f"see {page}; a suite of your own can name the revision and `files`",
        )
    said = " and no " if asked.files else " or "
    raise ScriptError(
        f"{asked.repository} has no {said.join(asked.patterns)} at {' or '.join(there)}",
        hint=f"see {page}/tree/{quote(there[-1], safe='')} for what it has; a suite of your own can name `files`",
    )


def _wanted(asked: HubData, every: Sequence[str]) -> list[str]:
    """All files that are asked for by name, else those of the first pattern that fits any; none if one is missing."""
    if asked.files:
        return list(asked.files) if set(asked.files) <= set(every) else []
    fitting = ([name for name in every if fnmatchcase(name, pattern)] for pattern in asked.patterns)
    return next(filter(None, fitting), [])


def _download(asked: HubData, name: str, revision: str, otherwise: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        return Path(hf_hub_download(asked.repository, name, repo_type="dataset", revision=revision))
    except Exception as error:  # as above
        raise _not_fetched(asked, (name,), error, otherwise) from error


def _not_fetched(asked: HubData, names: Sequence[str], error: Exception, otherwise: str) -> ScriptError:
    why = (str(error).splitlines() or [type(error).__name__])[0]
    first = names[0].replace("*.parquet", "0000.parquet")
    more = ""
    if "*" in names[0]:
        more = f" (and 0001.parquet, ... if {_page(asked)} has more)"
    elif len(names) > 1:
        more = f", and likewise {', '.join(names[1:])}"
    hint = (
        f"without a network: download {_url(asked, first)}{more} on another machine and copy it to "
        f"{by_hand_folder() / asked.repository / first}"
    )
    return ScriptError(
        f"the data set {asked} could not be fetched from the Hugging Face Hub: {why}",
        hint=f"{hint}; {otherwise}" if otherwise else hint,
    )


def hub_address() -> str:
    """Where the Hub is: $HF_ENDPOINT, or huggingface.co."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def _url(asked: HubData, name: str) -> str:
    revision = quote(asked.revision_asked, safe="")
    return f"{hub_address()}/datasets/{asked.repository}/resolve/{revision}/{quote(name)}"


def _page(asked: HubData) -> str:
    revision = quote(asked.revision_asked, safe="")
    return f"{hub_address()}/datasets/{asked.repository}/tree/{revision}"


def _need_parquet(asked: HubData, names: Sequence[str], otherwise: str) -> None:
    if any(name.endswith(".parquet") for name in names) and not has_parquet():
        text = f"{names[0]} of {asked.repository}" if asked.files else f"the data of {asked}"
        raise ScriptError(
            f"{text} is Parquet, but pyarrow is not installed",
            hint=install_command("parquet") + (f"; {otherwise}" if otherwise else ""),
        )
