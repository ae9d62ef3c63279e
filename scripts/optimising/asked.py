"""What was asked for of a search, checked: the optimiser, its parameters, its samples and its budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from evaluation.optimise.parameters import read_parameters
from results.errors import UsageError
from settings.optimising.rows import OPTIMISER_SETTINGS, require_optimizable

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = tuple(row.name for row in OPTIMISER_SETTINGS)
MOST_LEARNT_FROM = 50  # by default, of each of the two splits that are asked again and again
MOST_TESTED = 200

_Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One split, as other tools' manifests have it. loader: the benchmark, if anything. count: None: the usual."""

    count: _Count | None = None
    loader: str | None = None


class Datasets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each a number of samples, or a mapping with `count`."""

    train: _Count | Part | None = None
    validation: _Count | Part | None = None
    test: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | Part | None = None


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search as asked for. train, validation, test: how many samples; None: the usual number."""

    optimizer: str
    params: Mapping[str, Any]
    prompt_params: Mapping[str, Any]
    train: int | None
    validation: int | None
    test: int | None
    max_calls: int | None
    reflector_provider: str | None
    reflector_model: str | None
    reflector_base_url: str | None

    @property
    def settings(self) -> dict[str, Any]:
        """All that determines what it finds, for the run's settings."""
        return {
            "optimizer": self.optimizer,
            "optimizer_params": {**self.params, **self.prompt_params},
            "datasets": {"train": self.train, "validation": self.validation, "test": self.test},
            "max_calls": self.max_calls,
            "reflector": self.reflector,
        }

    @property
    def reflector(self) -> str:
        """Who writes prompts; "" for the model itself."""
        where = self.reflector_provider or self.reflector_base_url or ""
        return f"{where}/{self.reflector_model}" if where else ""

    def counts(self, samples: int) -> tuple[int, int, int]:
        """How many of so many samples each split has: train, validation, test."""
        usual = min(MOST_LEARNT_FROM, max(1, samples // 4))
        train = usual if self.train is None else self.train
        validation = usual if self.validation is None else self.validation
        rest = max(0, samples - train - validation)
        return train, validation, min(MOST_TESTED, rest) if self.test is None else self.test


def search_of(found: dict[str, Any], benchmark: str) -> Search | None:
    """Take a search's options out of those of a script. None if there is none. Raises UsageError."""
    require_optimizable(found)
    asked = {name: found.pop(name) for name in NAMES}
    if asked["optimizer"] is None:
        return None
    params, prompt_params = (asked[name] or {} for name in ("optimizer_params", "optimizer_prompt_params"))
    read_parameters(asked["optimizer"], params, prompt_params)
    counts = _counts(asked["datasets"] or {}, benchmark)
    return Search(
        optimizer=asked["optimizer"],
        params=params,
        prompt_params=prompt_params,
        train=counts["train"],
        validation=counts["validation"],
        test=counts["test"],
        max_calls=asked["max_calls"],
        reflector_provider=asked["reflector_provider"],
        reflector_model=asked["reflector_model"],
        reflector_base_url=asked["reflector_base_url"],
    )


def _counts(datasets: Mapping[str, Any], benchmark: str) -> dict[str, int | None]:
    try:
        read = msgspec.convert(datasets, Datasets)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"--datasets: {error}",
            hint='such as \'{"train": 20, "validation": 40, "test": 100}\'',
            settings=("datasets",),
        ) from None
    found: dict[str, int | None] = {}
    for name in ("train", "validation", "test"):
        part = getattr(read, name)
        if isinstance(part, Part):
            if part.loader not in {None, benchmark}:
                raise UsageError(
                    f"--datasets: {name} is of {part.loader!r}, and the run of {benchmark}",
                    hint="leave `loader` out: the samples are the benchmark's own",
                    settings=("datasets",),
                )
            part = part.count
        found[name] = part
    return found
