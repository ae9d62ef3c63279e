"""Who guesses keys leaves a trace: how many, from where, in few rows, and never what was guessed."""

from __future__ import annotations

import asyncio

from tests.command_line import wait_for
from tests.web.door import key, services
from tests.web.live_door import PATIENCE_S, ask, serving, status_of
from web.access.wrong_keys import MOST_NETWORKS, OTHERS, WHO, WrongKeys
from web.app import create_app


def test_wrong_keys_are_counted_in_the_audit_log(tmp_path):
    app = create_app(services(tmp_path), hold_back_s=0.0, remember_s=0.0, noted_after_s=0.1)
    audit, right = app.state.services.audit, key(app)

    def counted():
        rows = [row for row in audit.rows() if row.who == WHO]
        assert {row.on for row in rows} <= {"127.0.0.1"}
        return sum(int(row.what.split()[0]) if row.what[0].isdigit() else 1 for row in rows)

    with serving(app) as port:
        for given, status in ((right, 200), ("bench_guessed", 401), ("bench_again", 401)):
            lines = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {given}\r\n"
            assert status_of(ask(port, f"{lines}Connection: close\r\n\r\n".encode())) == status
        lines = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        assert status_of(ask(port, lines.encode())) == 401  # no key is no guess
        wait_for(lambda: counted() >= 1, PATIENCE_S)
    assert counted() <= 2
    assert "guessed" not in str(audit.rows())
    assert right not in str(audit.rows())


def test_a_flood_from_everywhere_is_few_rows():
    rows = []

    async def flood():
        wrong = WrongKeys(lambda *row: rows.append(row), after_s=0.0)
        for number in range(1000):
            wrong.count(f"2001:db8:{number:x}::/64")
        await asyncio.sleep(0.01)  # later than the rows are due

    asyncio.run(flood())  # ends when they are written
    assert len(rows) == MOST_NETWORKS + 1
    assert rows[0] == (WHO, "a wrong key", "2001:db8:0::/64")
    assert rows[-1] == (WHO, f"{1000 - MOST_NETWORKS} wrong keys within a minute", OTHERS)
