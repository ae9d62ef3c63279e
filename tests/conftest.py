"""What all tests share."""

from __future__ import annotations

from tests.leaks import no_leaks

__all__ = ["no_leaks"]
