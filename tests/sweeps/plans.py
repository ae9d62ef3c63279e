"""A manifest's text -> its plan, or what is told of it."""

from __future__ import annotations

import textwrap

import pytest

from results.errors import UsageError
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs


def plan(text: str, folder, form="yaml"):
    manifest = parse_manifest(textwrap.dedent(text), form=form, name="sweep", folder=folder)
    return plan_runs(manifest)


def told(text: str, folder) -> list[str]:
    with pytest.raises(UsageError) as caught:
        plan(text, folder)
    return [line.strip() for line in caught.value.message.splitlines() if not line.endswith(" errors:")]


def labels(text: str, folder) -> list[str]:
    return [run.label for run in plan(text, folder).runs]
