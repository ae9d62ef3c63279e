"""What the tests of `serve` share."""

from __future__ import annotations

from tests.web.postgres import postgres

__all__ = ["postgres"]
