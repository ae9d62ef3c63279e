"""Times in cron form, in a time zone."""

from __future__ import annotations

import datetime as dt
import zoneinfo

from results.errors import UsageError
from results.plain_text import plain

_MOST_CHARACTERS = 100


def next_time(cron: str, time_zone: str, after: float) -> float:
    """The first time after `after`, both seconds since the epoch.

    As in Debian's cron: what a change of summer time leaves out is made up for right after it, and what it repeats is
    done once. Raises UsageError: the form or the time zone is wrong, or the time never comes.
    """
    from cronsim import CronSim, CronSimError

    zone = _zone(time_zone)
    try:
        if len(cron) > _MOST_CHARACTERS or len(cron.split()) != 5:
            raise CronSimError("five fields are needed")
        times = CronSim(cron, dt.datetime.fromtimestamp(after, zone))
        # In an hour that is repeated, the next time may be that of the first one, which is over.
        return next(time for time in (moment.timestamp() for moment in times) if time > after)
    except CronSimError as error:
        raise UsageError(
            f"{plain(cron)[:_MOST_CHARACTERS]!r} is no time in cron form: {error}",
            hint="minute hour day month weekday, for example `30 2 * * MON-FRI`",
        ) from None
    except (StopIteration, OverflowError, ValueError):
        raise UsageError(f"{plain(cron)!r} never comes", hint="choose a day that its months have") from None


def _zone(name: str) -> dt.tzinfo:
    if name == "UTC":
        return dt.UTC  # also where no time zones are installed
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(
            f"{plain(name)[:_MOST_CHARACTERS]!r} is no time zone that is known here",
            hint="UTC, or for example Europe/Berlin",
        ) from None
