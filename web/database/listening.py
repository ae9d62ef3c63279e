"""Wake on PostgreSQL's NOTIFY, from whatever host."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy.engine import Connection, Engine

_LOOK_S = 2.0  # how often the caller wakes while the server can't be reached, or a pooler swallows LISTEN


class Listener:
    """A waiter with a connection of its own. See `web.jobs.bell.Waiter`.

    While its connection is lost, it wakes every two seconds and connects again, so that nothing is missed for longer.
    """

    def __init__(self, engine: Engine, channel: str) -> None:
        self._engine = engine
        self._channel = channel
        self._connection: Connection | None = None
        self._connect()

    def _connect(self) -> None:
        with contextlib.suppress(DBAPIError):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # it is ours: a connection that listens must not go back to the pool
            connection.exec_driver_sql(f"LISTEN {self._channel}")
            self._connection = connection

    def _driver(self) -> Any:
        return None if self._connection is None else self._connection.connection.dbapi_connection

    def fileno(self) -> int:
        driver = self._driver()
        return -1 if driver is None else int(driver.fileno())

    def wait(self, timeout_s: float) -> bool:
        import psycopg

        driver = self._driver()
        if driver is None:
            time.sleep(min(timeout_s, _LOOK_S))
            self._connect()
            return True
        try:
            # Several at once are one reason to look.
            found = False
            for _ in driver.notifies(timeout=max(0, timeout_s), stop_after=1):
                found = True
            if found:
                for _ in driver.notifies(timeout=0):
                    pass
        except (psycopg.Error, OSError):
            self.close()
            return True
        return found

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(DBAPIError):
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
