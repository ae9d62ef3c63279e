"""Read `serve.yaml`: what an operator offers and allows, with every mistake by its line."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from documents.problems import Problem, refuse
from documents.reading import read_file, read_text
from documents.typed import TypedReader
from engines.registry import LOCAL
from results.errors import UsageError
from results.extras import install_command
from results.files import user_path
from settings.secrets import require_no_secret, without_secrets, without_secrets_in
from settings.table import TABLE
from settings.values import closest, read_value
from sweeps.engine_choice import with_absolute_hosts
from sweeps.manifest.engine_part import read_engine
from web.access.hosts import split_host
from web.config import Limits, ServeConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from documents.tree import Node

HINT = "docs/serve.md shows every field"
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_Name = Annotated[str, Meta(pattern=NAME)]
_Text = Annotated[str, Meta(min_length=1, max_length=4096)]
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_NOT_OF_A_SERVER = ("benchmark", "model", "provider")
_NOT_OF_A_PROVIDER = ("benchmark", "model", "server")


class _Limits(msgspec.Struct, frozen=True):
    jobs_at_once: _Count | None = None
    queued_per_user: _Count | None = None
    job_s: Annotated[float, Meta(gt=0, le=30 * 24 * 3600)] | None = None
    requests_per_minute: _Count | None = None
    body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] | None = None
    streams: _Count | None = None


class ServeFile(msgspec.Struct, frozen=True):
    """What the file says; None for what it leaves open. Paths are relative to its folder."""

    results_dir: _Text | None = None
    state_dir: _Text | None = None
    database: _Text | None = None
    models_dir: _Text | None = None
    host: _Text | None = None
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    allowed_hosts: tuple[_Text, ...] = ()
    proxies: tuple[_Text, ...] = ()
    servers: dict[_Name, dict[str, Any]] = {}
    providers: dict[_Name, dict[str, Any]] = {}
    engines: dict[_Name, dict[str, Any]] = {}
    data: dict[_Name, _Text] = {}
    notify: _Text | None = None
    webhook: _Text | None = None
    keep_jobs_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    limits: _Limits = _Limits()


def read_serve_file(path: Path) -> ServeFile:
    """Read and check the file. Raises UsageError with every mistake in it."""
    source = read_file(path, kind="the file of serve", endings=(".yaml", ".yml"))
    root, problems = read_text(source.text, source.form, source.name, hint=HINT)
    if root.value is None:  # only comments
        return ServeFile()
    found = TypedReader(problems).struct(root, ServeFile)
    if isinstance(root.value, dict):
        problems += _problems(root.value, path.absolute().parent)
    refuse(source.name, problems, hint=HINT)
    if found is None:  # no struct, no problem: can't be
        raise UsageError(f"{path} can't be read", hint=HINT)
    return _with_paths(found, path.absolute().parent)


def apply_file(config: ServeConfig, file: ServeFile) -> ServeConfig:
    """The configuration with what the file says, except the places of results, state and database, which its caller
    has settled.
    """
    given = {name: getattr(file.limits, name) for name in file.limits.__struct_fields__}
    return replace(
        config,
        models_dir=Path(file.models_dir) if file.models_dir else config.models_dir,
        host=file.host or config.host,
        port=config.port if file.port is None else file.port,
        allowed_hosts=(*config.allowed_hosts, *(name.lower() for name in file.allowed_hosts)),
        proxies=(*config.proxies, *file.proxies),
        servers=file.servers,
        providers=file.providers,
        engines=file.engines,
        data={name: Path(text) for name, text in file.data.items()},
        notify_command=file.notify,
        webhook_url=file.webhook,
        keep_jobs_days=file.keep_jobs_days or config.keep_jobs_days,
        limits=replace(Limits(), **{name: value for name, value in given.items() if value is not None}),
    )


def require_host_name(text: str) -> str:
    """The name of a host, maybe with a port, in small letters. Raises UsageError."""
    if split_host(text) is None:
        raise UsageError(
            f"{text!r} is not the name of a host", hint="such as bench.example.com, or bench.example.com:8443"
        )
    return text.lower()


def require_network(text: str) -> str:
    """An address or network. Raises UsageError, also for one that holds everybody."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageError(
            f"{text!r} is neither an address nor a network", hint="such as 127.0.0.1 or 10.0.0.0/24"
        ) from None
    if network.prefixlen == 0:
        raise UsageError("that network is everybody", hint="give the proxy's own address")
    return str(network) if "/" in text else text


def require_no_password(url: str, where: str) -> str:
    """The URL of a database, which must not hold a password. Raises UsageError."""
    try:
        from sqlalchemy.engine import (
            make_url,
        )  # decides by what connects, which takes more forms than one thinks
        from sqlalchemy.exc import ArgumentError
    except ImportError:
        raise UsageError(
            f"{where} needs SQLAlchemy, which is not installed", hint=install_command("serve")
        ) from None
    try:
        read = make_url(url)
    except (ArgumentError, ValueError):
        read = None
    if read is not None and (read.password or any(map(_is_password, read.query))):
        raise UsageError(
            f"{where} holds a password, which others could read there",
            hint="put the whole URL into $BENCH_DATABASE_URL, or the password into $PGPASSWORD or ~/.pgpass",
        )
    if read is None or not url.startswith(("postgresql://", "postgres://")):
        raise UsageError(f"{where} is no URL of PostgreSQL", hint="postgresql://USER@HOST/DATABASE")
    return url


def _is_password(parameter: str) -> bool:
    # passfile is the path of a file
    return "pass" in parameter.lower() and parameter.lower() != "passfile"


def _problems(root: Mapping[str, Node], folder: Path) -> Iterator[Problem]:
    for section, refused in (("servers", _NOT_OF_A_SERVER), ("providers", _NOT_OF_A_PROVIDER)):
        for name, node in _members(root.get(section)):
            yield from _settings_problems(node, f"{section}.{name}", refused)
    for name, node in _members(root.get("engines")):
        found: list[Problem] = []
        if read_engine(node, found, f"engines.{name}") is not None:
            found += [
                Problem(
                    node.line, f"engines.{name}", "jobs run on this machine without an engine; leave it out"
                )
            ] * (node.plain()["name"] == LOCAL)
        yield from found
    for name, node in _members(root.get("data")):
        yield from _checked(node, f"data.{name}", lambda text: _require_file(text, folder))
    checks = {"allowed_hosts": require_host_name, "proxies": require_network}
    for section, check in checks.items():
        listed = root.get(section)
        items = listed.value if listed is not None and isinstance(listed.value, list) else []
        for number, each in enumerate(items):
            yield from _checked(each, f"{section}[{number}]", check)
    for name in ("database", "models_dir", "notify", "webhook"):
        if name in root:
            yield from _checked(root[name], name, lambda text, name=name: _require(name, text, folder))


def _require(name: str, text: str, folder: Path) -> None:
    if name == "database":
        require_no_password(text, "it")
    elif name == "notify":
        from runner.notification import read_notify

        read_notify(text)
    elif name == "webhook":
        from web.working.endings import require_webhook

        require_webhook(text)
    elif not (folder / user_path(text)).is_dir():
        raise UsageError("there is no such folder", hint="paths are relative to this file")


def _require_file(text: str, folder: Path) -> None:
    if not (folder / user_path(text)).exists():
        raise UsageError("there is no such file", hint="paths are relative to this file")


def _members(node: Node | None) -> list[tuple[str, Node]]:
    return [*node.value.items()] if node is not None and isinstance(node.value, dict) else []


def _checked(node: Node, at: str, check: Any) -> Iterator[Problem]:
    if not isinstance(node.value, str):
        return  # the reader of types says so
    try:
        check(node.value)
    except UsageError as error:
        yield Problem(node.line, at, error.message, error.hint)


def _settings_problems(node: Node, at: str, refused: tuple[str, ...]) -> Iterator[Problem]:
    """What is wrong with the settings of `run` that stand for a name."""
    for name, each in _members(node):
        place = f"{at}.{name}"
        setting = TABLE.get(name)
        if setting is None:
            yield Problem(each.line, place, f"there is no such setting{closest(name, TABLE)}")
            continue
        if name in refused:
            yield Problem(each.line, place, "is for the request to say")
            continue
        try:
            read_value(setting, each.plain())
            require_no_secret(each.plain())
            if _holds_secret(each.plain()):
                raise UsageError("holds a key or password", hint="write ${NAME} of an environment variable")
        except UsageError as error:
            yield Problem(each.line, place, error.message, error.hint)


def _holds_secret(value: Any) -> bool:
    if isinstance(value, str):
        return without_secrets_in(value) != value
    return isinstance(value, list) and without_secrets(map(str, value)) != tuple(map(str, value))


def _with_paths(file: ServeFile, folder: Path) -> ServeFile:
    def whole(text: str | None) -> str | None:
        return None if text is None else str(folder / user_path(text))

    return msgspec.structs.replace(
        file,
        results_dir=whole(file.results_dir),
        state_dir=whole(file.state_dir),
        models_dir=whole(file.models_dir),
        data={name: str(folder / user_path(text)) for name, text in file.data.items()},
        engines={name: with_absolute_hosts(each, folder) for name, each in file.engines.items()},
    )
