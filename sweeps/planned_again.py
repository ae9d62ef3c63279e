"""Plan a sweep again, from the manifest in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from results.files import user_path
from settings.asked import Asked
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs

if TYPE_CHECKING:
    from documents.reading import Form
    from results.store.sweep_folder import Sweep
    from sweeps.manifest.reader import Manifest
    from sweeps.plan import Plan


def planned_again(sweep: Sweep, *, changed: Asked | None = None) -> tuple[Manifest, Plan]:
    """The manifest and plan of an existing sweep. changed: settings given now, which must not determine a result.

    Raises UsageError, for example for a variable that is no longer set.
    """
    kept = sweep.manifest
    manifest = parse_manifest(
        kept.text, form=cast("Form", kept.form), name=kept.name, folder=user_path(kept.folder)
    )
    before = Asked.read(sweep.changed)
    both = before.but(**changed.given) if changed is not None else before
    return manifest, plan_runs(manifest, changed=both)
