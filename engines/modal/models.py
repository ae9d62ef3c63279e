"""Which models Modal's machines may not have, as far as this machine can know."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from engines.contract import Finding
from results.plain_text import plain
from runner.spec_json import DEMO
from servers.library.places import HUB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engines.modal.service import Service
    from engines.unit import Unit


def missing_models(units: Sequence[Unit], volume: str | None, service: Service) -> Iterator[Finding]:
    """Files that are not in the models' Volume. No errors, because an image may have them. Raises BenchError."""
    there = service.names_in(volume) if volume is not None else frozenset()
    for path in sorted({path for unit in units if (path := _own_model(unit)) is not None}):
        if path.name not in there:
            where = f"the Volume {volume}" if volume is not None else "Modal"
            put = f"modal volume put {volume or 'models'} {shlex.quote(str(path))}"
            also = "" if volume is not None else ", and set models_volume: models"
            yield Finding(
                message=plain(f"the model {path} is not in {where}"),
                hint=plain(f"run: {put}{also}"),
                is_error=False,
            )


def _own_model(unit: Unit) -> Path | None:
    """The model's path, unless each machine can fetch it by its name."""
    planned = unit.todo[0].planned
    model = planned.spec.server.model if planned.spec is not None else None
    asked = str(planned.asked.given.get("model") or DEMO)
    if model is None or model.path is None or asked == DEMO or asked.startswith(HUB):
        return None
    return model.path
