"""Wake on PostgreSQL's NOTIFY, from whatever host."""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy.engine import Connection, Engine

_LOOK_S = 2.0  # how often the caller wakes while the server can't be reached, or a pooler swallows LISTEN


class Listener:
    """A waiter with a connection of its own. See `web.jobs.bell.Waiter`.

    While its connection is lost, it wakes every two seconds and connects again, so that nothing is missed for longer.
    Its descriptor stays the same, and is never readable meanwhile.
    """

    def __init__(self, engine: Engine, channel: str) -> None:
        self._engine = engine
        self._channel = channel
        self._connection: Connection | None = None
        self._epoll = select.epoll()
        self._connect()

    def _connect(self) -> None:
        with contextlib.suppress(DBAPIError):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # it is ours: a connection that listens must not go back to the pool
            connection.exec_driver_sql(f"LISTEN {self._channel}")
            self._connection = connection
            self._epoll.register(self._driver().fileno(), select.EPOLLIN)

    def _driver(self) -> Any:
        return None if self._connection is None else self._connection.connection.dbapi_connection

    def fileno(self) -> int:
        return self._epoll.fileno()

    def wait(self, timeout_s: float) -> bool:
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
            self._disconnect()
            return True
        return found

    def close(self) -> None:
        self._disconnect()
        self._epoll.close()

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError, ValueError, psycopg.Error):  # its socket may be closed already
                self._epoll.unregister(self._driver().fileno())
            with contextlib.suppress(DBAPIError):
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
