"""The values of a request's settings: checked by the table, and written so that nothing in them is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from results.store.run_id import RUN_ID
from settings.benchmarks import BENCHMARKS
from settings.suites import shipped_suites
from settings.table import TABLE
from settings.values import closest, read_value
from settings.variables import as_written
from web.catalogue.offered import OFFERED, Offer, offer_of, offered_choices

if TYPE_CHECKING:
    from web.catalogue.models import ModelNames
    from web.config import ServeConfig

_MOST_TEXT_BYTES = 64 << 10  # a command line takes 128 KiB in one word
_DEEPEST = 32
MOST_ITEMS = 64  # of a list in one text
_LIST = "(,"  # in the pattern of a setting that takes such a list


def written_value(name: str, value: Any, config: ServeConfig, models: ModelNames) -> Any:
    """What a manifest says for this value of a request's; None: not given. Raises UsageError."""
    setting = OFFERED.get(name)
    if setting is None:
        raise UsageError(_unknown(name))
    if value is None:
        return None
    require_plain(value)
    offer = offer_of(setting)
    if offer is Offer.DATA:
        return _data(value, config)
    if offer is Offer.MODEL:
        return _model_or_run(value, models)
    read = read_value(setting, value, variables=False)
    if (
        setting.choices
        and isinstance(read, str)
        and read in set(setting.every_choice) - {*offered_choices(setting)}
    ):
        raise UsageError(f"{read!r} is not offered; one of {', '.join(offered_choices(setting))}")
    if _LIST in setting.pattern and isinstance(read, str) and read.count(",") >= MOST_ITEMS:
        raise UsageError(f"has more than {MOST_ITEMS} items")
    return as_written(read) if isinstance(read, str) else read


def written_benchmark(value: Any) -> str:
    """The name of a benchmark or shipped suite. Raises UsageError."""
    known = (*BENCHMARKS, *shipped_suites())
    if not isinstance(value, str) or value not in known:
        near = closest(value, known) if isinstance(value, str) else ""
        raise UsageError(f"{value!r} is no benchmark{near}; offered are: {', '.join(known)}")
    return value


def require_plain(value: Any, depth: int = 0) -> None:
    """Raise UsageError for a text that no program can be given, or a value that is nested too deeply."""
    if depth > _DEEPEST:
        raise UsageError("is nested too deeply")
    if isinstance(value, str):
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise UsageError("has characters that are not Unicode") from None
        if "\0" in value:
            raise UsageError("has a NUL character")
        if size > _MOST_TEXT_BYTES:
            raise UsageError(f"is longer than {_MOST_TEXT_BYTES >> 10} KiB")
    elif isinstance(value, dict):
        for key, each in value.items():
            require_plain(key, depth + 1)
            require_plain(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            require_plain(each, depth + 1)


def _data(value: Any, config: ServeConfig) -> str:
    if not isinstance(value, str) or value not in config.data:
        known = ", ".join(config.data) or "none"
        raise UsageError(f"{value!r} is no data of the catalogue; offered are: {known}")
    return str(as_written(str(config.data[value].absolute())))


def _model_or_run(value: Any, models: ModelNames) -> str:
    if not isinstance(value, str):
        raise UsageError("is not a text")
    if RUN_ID.fullmatch(value):
        return value
    found = models.find(value)
    return str(as_written(str(found.path))) if found.path is not None else found.name


def _unknown(name: str) -> str:
    if name in TABLE:
        return "only the operator sets this"
    return f"there is no such setting{closest(name, OFFERED)}"
