"""Options that `serve`, `worker` and `keys` share, and the configuration that they make."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.options import UserPath, results_dir_option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from web.config import ServeConfig

DATABASE_VARIABLE = "BENCH_DATABASE_URL"


def serve_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where runs, jobs and models are. Their values go to `read_config`."""
    for option in reversed(
        (
            click.option(
                "--config",
                metavar="FILE",
                type=UserPath(dir_okay=False),
                help="What is offered and allowed: a YAML file, as in docs/serve.md. Options beat it.",
            ),
            results_dir_option,
            click.option(
                "--state-dir",
                type=UserPath(file_okay=False),
                help="Where jobs and keys are kept.  [default: .serve in the results folder]",
            ),
            click.option(
                "--models-dir",
                type=UserPath(file_okay=False),
                help="The models that a request may name.  [default: only the demo model]",
            ),
            click.option(
                "--database",
                metavar="URL",
                help="Keep jobs, keys and the index in PostgreSQL: postgresql://USER@HOST/DATABASE; a password"
                f" belongs into ${DATABASE_VARIABLE}, $PGPASSWORD or ~/.pgpass.  [default: ${DATABASE_VARIABLE},"
                " or SQLite in the state folder]",
            ),
        )
    ):
        function = option(function)
    return function


def read_config(options: Mapping[str, Any]) -> ServeConfig:
    """The configuration that the file and the shared options make. Raises UsageError with every mistake in the file."""
    from results.errors import UsageError
    from results.folders import default_results_dir
    from web.config import ServeConfig
    from web.config_file import ServeFile, apply_file, read_serve_file, require_no_password

    file = read_serve_file(options["config"]) if options.get("config") else ServeFile()
    of_file = Path(file.results_dir) if file.results_dir else default_results_dir()
    results_dir: Path = (options.get("results_dir") or of_file).absolute()
    state_dir: Path = options.get("state_dir") or Path(file.state_dir or results_dir / ".serve")
    database = options.get("database") or file.database
    if database:
        require_no_password(database, "--database" if options.get("database") else "database")
    models_dir: Path | None = options.get("models_dir")
    if models_dir is not None and not models_dir.is_dir():
        raise UsageError(f"there is no folder {models_dir}", hint="give the folder with your models")
    config = apply_file(
        ServeConfig(
            results_dir=results_dir,
            state_dir=state_dir.absolute(),
            database_url=database or os.environ.get(DATABASE_VARIABLE) or None,
        ),
        file,
    )
    return replace(config, models_dir=models_dir or config.models_dir)


def has_database(config: ServeConfig) -> bool:
    """Whether the database of jobs and keys was ever made. Of PostgreSQL, it is assumed."""
    return config.database_url is not None or (config.state_dir / "serve.sqlite3").exists()


def require_extra() -> None:
    """Raise ResultsError if the extra that they all need isn't installed."""
    import importlib.util

    from results.errors import ResultsError
    from results.extras import install_command

    needed = (
        "fastapi",
        "uvicorn",
        "sqlalchemy",
        "alembic",
        "limits",
        "cronsim",
        "pygments",
        "python_multipart",
    )
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ResultsError(f"serve needs {missing[0]}, which is not installed", hint=install_command("serve"))


def repeated(options: Mapping[str, Any], config: ServeConfig) -> list[str]:
    """The shared options as words for another command, with places that don't depend on the current folder."""
    words = ["--results-dir", str(config.results_dir), "--state-dir", str(config.state_dir)]
    if options.get("config"):
        words += ["--config", str(options["config"].absolute())]
    if options.get("models_dir"):
        words += ["--models-dir", str(options["models_dir"].absolute())]
    if options.get("database"):
        words += ["--database", options["database"]]
    return words
