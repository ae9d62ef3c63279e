"""The one error that endpoints and pages raise. `web.access.answers` makes JSON or a page of it."""

from __future__ import annotations

import math

from starlette.exceptions import HTTPException


class ApiError(HTTPException):
    """Ends a request with a status and a text for its sender, which stands in `{"detail": ...}` or on a page.

    detail: what is wrong and, where that isn't plain, what to do; no path or secret of this machine. mistakes: of a
    request that has several, (field, what is wrong) each. retry_after_s: when to ask again; it becomes `retry_after`
    and the header of that name, in whole seconds.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        retry_after_s: float | None = None,
        mistakes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.retry_after = None if retry_after_s is None else max(1, math.ceil(retry_after_s))
        self.mistakes = mistakes
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        super().__init__(status_code=status, detail=detail, headers=headers or None)
