"""What was asked for of a search, checked: the optimiser, its parameters, its samples and its budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from evaluation.data.files import files_sha256
from evaluation.optimise.parameters import read_parameters
from results.errors import UsageError
from results.files import instead_of, unreadable, user_path
from settings.optimising.rows import OPTIMISER_SETTINGS, require_optimizable

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = tuple(row.name for row in OPTIMISER_SETTINGS)
MOST_LEARNT_FROM = 50  # by default, of each of the two splits that are asked again and again
MOST_TESTED = 200

_Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One split, as other tools' manifests have it. count: None: the usual. loader: the benchmark, if anything. file,
    split: another data set in the benchmark's form, or another split of it at the Hub; neither: what the run has.
    """

    count: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None
    loader: str | None = None
    file: str = ""
    split: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Whether its samples are not those of the run."""
        return bool(self.file or self.split)

    @property
    def settings(self) -> dict[str, Any]:
        """What determines its samples: of a file, the content."""
        told = {"count": self.count, "split": self.split or None}
        sha256 = files_sha256([user_path(self.file)]) if self.file else None
        return {name: value for name, value in {**told, "sha256": sha256}.items() if value is not None}


class Datasets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each a number of samples, or a mapping with `count`."""

    train: _Count | Part | None = None
    validation: _Count | Part | None = None
    test: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | Part | None = None


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search as asked for. train, validation, test: which samples, and how many."""

    optimizer: str
    params: Mapping[str, Any]
    prompt_params: Mapping[str, Any]
    train: Part
    validation: Part
    test: Part
    max_calls: int | None
    reflector_provider: str | None
    reflector_model: str | None
    reflector_base_url: str | None
    reflector_max_tokens: int | None

    @property
    def settings(self) -> dict[str, Any]:
        """All that determines what it finds, for the run's settings."""
        return {
            "optimizer": self.optimizer,
            "optimizer_params": {**self.params, **self.prompt_params},
            "datasets": {name: part.settings for name, part in self.parts.items()},
            "max_calls": self.max_calls,
            "reflector": self.reflector,
            "reflector_max_tokens": self.reflector_max_tokens,
        }

    @property
    def reflector(self) -> str:
        """Who writes prompts; "" for the model itself."""
        where = self.reflector_provider or self.reflector_base_url or ""
        return f"{where}/{self.reflector_model}" if where else ""

    @property
    def parts(self) -> dict[str, Part]:
        """The splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def counts(self, samples: int) -> dict[str, int]:
        """How many samples the splits have that come out of so many of the run."""
        usual = min(MOST_LEARNT_FROM, max(1, samples // 4))
        found: dict[str, int] = {}
        for name, part in self.parts.items():
            if not part.is_elsewhere:
                rest = min(MOST_TESTED, max(0, samples - sum(found.values())))
                found[name] = (rest if name == "test" else usual) if part.count is None else part.count
        return found


def search_of(found: dict[str, Any], benchmark: str) -> Search | None:
    """Take a search's options out of those of a script. None if there is none. Raises UsageError."""
    require_optimizable(found)
    asked = {name: found.pop(name) for name in NAMES}
    if asked["optimizer"] is None:
        return None
    params, prompt_params = (asked[name] or {} for name in ("optimizer_params", "optimizer_prompt_params"))
    read_parameters(asked["optimizer"], params, prompt_params)
    return Search(
        optimizer=asked["optimizer"],
        params=params,
        prompt_params=prompt_params,
        **_parts(asked["datasets"] or {}, benchmark),
        max_calls=asked["max_calls"],
        reflector_provider=asked["reflector_provider"],
        reflector_model=asked["reflector_model"],
        reflector_base_url=asked["reflector_base_url"],
        reflector_max_tokens=asked["reflector_max_tokens"],
    )


def _parts(datasets: Mapping[str, Any], benchmark: str) -> dict[str, Part]:
    try:
        read = msgspec.convert(datasets, Datasets)
    except msgspec.ValidationError as error:
        raise _refused(str(error), 'such as \'{"train": 20, "validation": 40, "test": 100}\'') from None
    found: dict[str, Part] = {}
    for name in ("train", "validation", "test"):
        given = getattr(read, name)
        part = given if isinstance(given, Part) else Part(count=given)
        if part.loader not in {None, benchmark}:
            raise _refused(
                f"{name} is of {part.loader!r}, and the run of {benchmark}",
                "leave `loader` out: the samples are the benchmark's own",
            )
        if part.file and part.split:
            raise _refused(f"{name} has a file and a split", "give one of them")
        if part.file and (why := unreadable(user_path(part.file))):
            raise _refused(f"{name}: {part.file}: {why}", instead_of(user_path(part.file)))
        if part.count == 0 and name != "test":
            raise _refused(f"{name} has no samples", "give at least one; only test may have none")
        found[name] = part
    return found


def _refused(what: str, hint: str) -> UsageError:
    return UsageError(f"--datasets: {what}", hint=hint, settings=("datasets",))
