"""The plan of a sweep from the manifest that its folder keeps."""

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
    """From the manifest that the sweep keeps. changed: settings that are given now; they determine no result.

    Raises UsageError, as for a variable that is not set any more.
    """
    kept = sweep.manifest
    manifest = parse_manifest(
        kept.text, form=cast("Form", kept.form), name=kept.name, folder=user_path(kept.folder)
    )
    before = Asked.read(sweep.changed)
    both = before.but(**changed.given) if changed is not None else before
    return manifest, plan_runs(manifest, changed=both)
