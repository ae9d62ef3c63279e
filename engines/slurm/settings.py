"""What the `engine:` part of a manifest may ask of Slurm."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKOUT: Final = str(Path(__file__).resolve().parents[2])


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See FIELDS."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    time: str = ""
    gres: str = ""
    gpus: Annotated[int, msgspec.Meta(ge=0)] | None = None
    cpus: Annotated[int, msgspec.Meta(ge=0)] = 0
    memory: str = ""
    options: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    login_shell: bool = False
    environment: tuple[str, ...] = ()
    python: str = sys.executable
    checkout: str = CHECKOUT
    models: tuple[str, ...] = ()
    jobs: Annotated[int, msgspec.Meta(ge=1)] = 500
    poll_s: Annotated[float, msgspec.Meta(ge=0.1)] = 15.0
    settle_s: Annotated[float, msgspec.Meta(ge=0)] = 10.0


FIELDS: Final[Mapping[str, str]] = {
    "partition": "where jobs go; default: the cluster's own default",
    "account": "whom the time is charged to",
    "qos": "quality of service",
    "time": "the most time for a unit, as sbatch has it: 2:00:00. A unit that isn't done by then goes on in a new job",
    "gres": "what the cluster calls its GPUs, such as gpu:a100; a number of them is added. none: don't ask for any. "
    "Default: gpu, if the partition has any",
    "gpus": "GPUs for a unit; default: as many as its server needs",
    "cpus": "processors for a unit; default: what the partition gives",
    "memory": "main memory for a unit, such as 64G; default: what its server is estimated to need, and 2 GiB more",
    "options": "more options of sbatch, such as --constraint=a100, each in one word",
    "setup": "lines of shell before the program starts, such as module load cuda. They must not hold secrets; they may "
    "read a file that does: . ~/.bench_runner.env",
    "login_shell": "whether a job reads your profile on the node, as a login does",
    "environment": "names of variables that go along with a job, no secrets",
    "python": "the interpreter on the nodes; default: this one's path",
    "checkout": "bench_runner's folder on the nodes; default: this one's",
    "models": "folders on the nodes to look for models in that aren't at their path",
    "jobs": "the most jobs of a sweep in Slurm at a time, waiting ones too",
    "poll_s": "the longest time between two questions to Slurm, in seconds",
    "settle_s": "how long the shared folder may take to show what a node wrote, in seconds",
}
