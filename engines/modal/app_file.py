"""The app that is deployed to Modal: a file of a few lines, for people to read, and to deploy by `modal deploy`."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, Any, Final

from results.errors import UsageError
from results.plain_text import plain
from runner.host import COMMIT_VARIABLE, harness_facts
from runner.script import ROOT

if TYPE_CHECKING:
    from engines.modal.settings import Settings

FUNCTION: Final = "unit"
CHECKOUT: Final = "/bench_runner"
RESULTS: Final = "/results"
MODELS: Final = "/models"
# What runs on a machine, from the checkout; nothing else in it travels.
PACKAGES: Final = (
    "choosing", "commands", "documents", "engines", "evaluation", "parsers", "processes", "results", "runner",
    "sandbox", "scripts", "servers", "settings", "sweeps", "telemetry", "web",
)  # fmt: skip

WRITTEN_BY_US: Final = (
    '"""bench_runner at Modal, written by `bench_runner.py sweep --engine modal --deploy-engine`'
)

_TEXT: Final = '''\
{written_by_us}, which writes it anew.

Deployed by `modal deploy`. Each call of the function does one unit of a sweep; results land in the Volume.
"""

import modal

from engines.modal.app_file import PACKAGES
from engines.modal.function import do_unit

CHECKOUT = {checkout!r}
{image}
for package in PACKAGES:  # nothing else in the checkout travels
    image = image.add_local_dir(f"{{CHECKOUT}}/{{package}}", f"{there}/{{package}}", ignore=["**/__pycache__", "**/.*"])
results = modal.Volume.from_name({volume!r}, create_if_missing=True, version=2)
app = modal.App({app!r})


@app.function(
    image=image,
{options}
)
def {function}(name: str, deployment: str, sha256: str, folder: str = {results!r}) -> int:
    """Do the unit that lies there under that name, if it has that checksum. deployment: which one the sweep expects."""
    return do_unit(name, deployment, {deployment!r}, sha256=sha256, folder=folder, volume=results)
'''


def app_text(settings: Settings) -> str:
    """The file. The same settings and the same version of this program give the same text."""
    return _TEXT.format(
        written_by_us=WRITTEN_BY_US,
        checkout=str(ROOT),
        image=_image(settings),
        there=CHECKOUT,
        volume=settings.volume,
        app=settings.app,
        options="\n".join(f"    {name}={value}," for name, value in _options(settings).items()),
        function=FUNCTION,
        results=RESULTS,
        deployment=deployment_id(settings),
    )


def deployment_id(settings: Settings) -> str:
    """By which a sweep knows that what is deployed has its settings and its version."""
    facts = harness_facts()
    text = f"{_image(settings)}\n{_options(settings)}\n{facts['version']}\n{facts['commit']}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def checked_app(settings: Settings) -> None:
    """Let Modal's client look at the app, without connecting. Raises UsageError for what it refuses, or without it."""
    import modal.exception

    names: dict[str, Any] = {"__name__": "bench_runner_modal"}
    try:
        exec(compile(app_text(settings), settings.app_file, "exec"), names)  # noqa: S102 - our own text, as it is deployed
    except (modal.exception.Error, TypeError, ValueError) as error:
        raise UsageError(
            f"Modal refuses these settings: {plain(str(error))}",
            hint="correct the manifest's engine: part",
        ) from error


def _image(settings: Settings) -> str:
    """The lines that make it."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    if settings.image is None:
        first = f"modal.Image.debian_slim(python_version={python!r})"
    else:
        first = f"modal.Image.from_registry({settings.image!r}, add_python={python!r}).entrypoint([])"
    variables = {"PYTHONPATH": CHECKOUT}
    commit = harness_facts()["commit"]
    if commit is not None:
        variables[COMMIT_VARIABLE] = commit
    if settings.models_volume is not None:
        variables["HF_HOME"] = f"{MODELS}/huggingface"
    steps = [
        first,
        f".apt_install({', '.join(map(repr, ('git', 'libgomp1', *settings.apt)))})",
        '.pip_install_from_requirements(f"{CHECKOUT}/requirements.lock")',
    ]
    packages = settings.pip if settings.results_store is None else ("fsspec", "s3fs", *settings.pip)
    if packages:
        steps.append(f".pip_install({', '.join(map(repr, packages))})")
    if settings.commands:
        steps.append(f".run_commands({', '.join(map(repr, settings.commands))})")
    steps.append(f".env({variables!r})")
    return "image = (\n" + "\n".join(f"    {step}" for step in steps) + "\n)"


def _options(settings: Settings) -> dict[str, str]:
    """Of the function, as they are written."""
    volumes = f"{RESULTS!r}: results"
    if settings.models_volume is not None:
        found = f"modal.Volume.from_name({settings.models_volume!r}, create_if_missing=True)"
        volumes += f", {MODELS!r}: {found}"
    secrets = ", ".join(f"modal.Secret.from_name({name!r})" for name in settings.secrets)
    given = {
        "gpu": settings.gpu,
        "cpu": settings.cpu,
        "memory": settings.memory_mib,
        "region": settings.region,
    }
    return {
        "volumes": f"{{{volumes}}}",
        **({"secrets": f"[{secrets}]"} if secrets else {}),
        **{name: repr(value) for name, value in given.items() if value is not None},
        "timeout": repr(settings.timeout_s),
        "max_containers": repr(settings.at_once),
        "retries": "0",
    }
