"""Which carrier a sweep has, by `--results-store`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engines.carriers.folder_blobs import FolderBlobs
from engines.carriers.shared_folder import SharedFolder
from results.errors import UsageError
from results.plain_text import plain

if TYPE_CHECKING:
    from engines.carriers.blobs import Blobs
    from engines.carriers.contract import Carrier


def carrier_for(results_store: str) -> Carrier:
    """For the URL of an object store; "" is a folder that all machines see. Raises UsageError."""
    if not results_store:
        return SharedFolder()
    if "://" not in results_store:
        raise UsageError(
            f"{plain(results_store)} is no address of an object store",
            hint="write it as s3://BUCKET/PREFIX; a folder that all machines see needs no --results-store",
        )
    from engines.carriers.object_store import object_store

    return object_store(results_store)


def blobs_at(address: str) -> Blobs:
    """What a machine finds at the address that it was given: in an object store, or a folder. Raises UsageError."""
    if "://" not in address:
        return FolderBlobs(Path(address).absolute())
    from engines.carriers.object_store import ObjectBlobs

    return ObjectBlobs(address)
