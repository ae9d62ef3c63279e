"""What becomes of a request: its manifest, or the mistakes that are told."""

from __future__ import annotations

import pytest

from web.catalogue.manifest import manifest_document
from web.catalogue.mistakes import RequestRefused
from web.catalogue.posting import checked_job
from web.catalogue.request import RunRequest


def document(config, /, **request):
    return manifest_document(RunRequest.model_validate(request), config)


def mistakes(config, /, **request):
    with pytest.raises(RequestRefused) as refused:
        checked_job(RunRequest.model_validate(request), config, "me")
    return [str(each) for each in refused.value.mistakes]


def run(config, suite="human_eval", **more):
    return document(config, suite=suite, config=more)["runs"][0]


class starts(str):  # noqa: N801 - reads like a word in the expected values
    """Equal to every text that begins so."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return str(other).startswith(self)
