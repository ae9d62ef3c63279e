"""What the modal engine takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping

# As Modal takes names, so that none can be an option or a path.
_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(?!\n)$"
_Name = Annotated[str, Meta(pattern=_NAME)]
_Text = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+(?!\n)$")]
_Region = Annotated[str, Meta(pattern=r"^[a-z0-9-]{2,40}(?!\n)$")]

# As Modal's documentation lists them; another one is a remark, because new ones come.
KNOWN_GPUS: Final = (
    "T4",
    "L4",
    "A10",
    "L40S",
    "A100",
    "A100-40GB",
    "A100-80GB",
    "RTX-PRO-6000",
    "H100",
    "H200",
    "B200",
)

FIELDS: Final[Mapping[str, str]] = {
    "app": "the name of the app at Modal",
    "volume": "the name of the Volume in which results land and stay",
    "gpu": "the kind of GPU of each machine, and how many after a colon: L40S, H100:2; default: none",
    "cpu": "processor cores of each machine; default: Modal's",
    "memory_mib": "memory of each machine in MiB; default: Modal's",
    "timeout_s": "how long one unit may take at most; then another attempt goes on with what it had done",
    "at_once": "how many units run at the same time at most",
    "secrets": "names of Modal's Secrets, whose values fill in ${NAME} there",
    "region": "where the machines stand, as Modal names regions; default: anywhere",
    "image": "an image to begin with, such as vllm/vllm-openai:v0.11.0; default: Debian with Python",
    "apt": "packages of the system to add to the image",
    "pip": "packages of Python to add to the image, such as vllm",
    "commands": "shell commands to build the image with, after the packages",
    "results_store": "an object store through which results go, as s3://BUCKET/PREFIX; default: the Volume",
    "models_volume": "the name of a Volume with models, mounted as /models; models from Hugging Face stay in it too",
    "app_file": "where --deploy-engine writes the app; default: bench_runner_modal.py in the current folder",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`FIELDS` says what each is."""

    app: _Name = "bench-runner"
    volume: _Name = "bench-runner"
    gpu: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,40}!?(:[1-8])?(?!\n)$")] | None = None
    cpu: Annotated[float, Meta(ge=0.125, le=256)] | None = None
    memory_mib: Annotated[int, Meta(ge=128, le=4 << 20)] | None = None
    timeout_s: Annotated[int, Meta(ge=60, le=86400)] = 86400
    at_once: Annotated[int, Meta(ge=1, le=1000)] = 10
    secrets: tuple[_Name, ...] = ()
    region: _Region | None = None
    image: _Text | None = None
    apt: tuple[_Text, ...] = ()
    pip: tuple[_Text, ...] = ()
    commands: tuple[_Text, ...] = ()
    results_store: _Text | None = None
    models_volume: _Name | None = None
    app_file: _Text = "bench_runner_modal.py"

    @property
    def gpus(self) -> int:
        """Cards of each machine."""
        if self.gpu is None:
            return 0
        return int(self.gpu.partition(":")[2] or 1)
