"""What tests of several benchmarks need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from evaluation.loop.grader import Grader

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def grader(request: pytest.FixtureRequest) -> Iterator[Grader]:
    """An open one. A module whose programs need more time than usual has a `TIMEOUT_S`."""
    opened = Grader(level="auto", timeout_s=getattr(request.module, "TIMEOUT_S", 3.0))
    opened.open()
    yield opened
    opened.close()
