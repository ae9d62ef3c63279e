"""A POST that may be sent again: its header, and by what the same request is known."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated

from fastapi import Header

if TYPE_CHECKING:
    from pydantic import BaseModel

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Send the same key with the same request again: nothing is added twice, the answer is the same.",
    ),
]


def fingerprint(request: BaseModel, of: str = "") -> str:
    """Of what was sent, in whatever order; what a later version adds to requests doesn't change it. of: what it is to
    make, unless that is a job, so that no request is taken for one of another kind.
    """
    sent = request.model_dump(mode="json", exclude_unset=True)
    return hashlib.sha256(json.dumps({of: sent} if of else sent, sort_keys=True).encode()).hexdigest()
