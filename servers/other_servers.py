"""Other servers: launched by the user's own command line, already running somewhere, or a provider's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from results.errors import ServerError, ServerNotReady, UsageError
from servers import model_list
from servers.http_probe import request as ask
from servers.http_probe import whole
from servers.plan import PROVIDER, LaunchPlan
from servers.ports import port_holder
from settings.base_url import BaseUrl, parse_api_url, parse_base_url
from settings.providers import COMPATIBLE, provider_of
from settings.secrets import given_key, read_key, read_key_file
from settings.variables import Filled, as_written, shown, split_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from servers.models import Model
    from servers.request import ServerRequest
    from settings.providers import ProviderFacts

DEFAULT_PARALLEL = 4
_PROVIDER_PARALLEL = 8  # what a provider takes at once is learnt from its refusals
MAX_PARALLEL = 4096  # slots that we believe a server to have; our scripts send no more requests at once
_COMMAND = ("server_command",)  # the setting that its errors name
PLACEHOLDER = re.compile(r"\{(\w*)\}")
ASK_TIMEOUT_S = 10.0  # a remote provider, over a slow line


def command_plan(request: ServerRequest, model: Model, *, base_url: BaseUrl, alias: str) -> LaunchPlan:
    """The plan for the user's own command line. Raises UsageError.

    The template is split like in a shell. Its words may contain {model} (path or name), {name} (the model's name at the
    server; without it, the name isn't checked), {host} and {port}. No other shell syntax works. The server gets none of
    the user's keys except those in the command. If that is a key for its API (--api-key, LLAMA_API_KEY=...), requests
    use it.
    """
    if not request.command:
        raise UsageError(
            "--server command needs --server-command",
            hint="such as 'serve {model} --port {port}'",
            settings=("server",),
        )
    try:
        words = split_words(as_written(request.command))
    except UsageError as error:
        raise UsageError(f"--server-command: {error.message}", hint=error.hint, settings=_COMMAND) from error
    if not words:
        raise UsageError(
            "--server-command is empty", hint="such as 'serve {model} --port {port}'", settings=_COMMAND
        )
    what = str(model.path or model.name)
    what = f"./{what}" if what.startswith("-") else what  # otherwise it would be an option
    values = {"port": str(base_url.port), "host": base_url.host, "name": alias, "model": what}
    used = {name for word in words for name in PLACEHOLDER.findall(word)}
    for unknown in sorted(used - set(values)):
        raise UsageError(
            f"--server-command: unknown placeholder {{{unknown}}}",
            hint=f"known: {', '.join('{' + name + '}' for name in sorted(values))}",
            settings=_COMMAND,
        )
    if "port" not in used and request.port is None:
        raise UsageError(
            "--server-command has no {port}, so bench_runner would not know where the server listens",
            hint="put {port} into it, or give the port with --port",
            settings=_COMMAND,
        )
    argv = tuple(_with_values(word, values) for word in words)
    return LaunchPlan(
        kind="command",
        argv=(*argv, *request.extra_args),
        base_url=base_url,
        health_path=request.health_path,
        model_name=alias if "name" in used else None,
        api_key=given_key((*argv, *request.extra_args)),
        own_keys=_named_variables((request.command, *request.extra_args)),
        asked={"parallel": request.parallel or DEFAULT_PARALLEL},
    )


def _with_values(word: str, values: Mapping[str, str]) -> str:
    """Fill in placeholders. In records, a word with variables stays as written."""
    whole = PLACEHOLDER.sub(lambda found: values[found[1]], word)
    return Filled(whole, word.written) if isinstance(word, Filled) else whole


def _named_variables(texts: Iterable[str]) -> frozenset[str]:
    """The variables that the user names in the command, which are meant for this server."""
    return frozenset(name for text in texts for name in re.findall(r"[A-Za-z_]\w*", shown(text)))


def attach_plan(request: ServerRequest) -> LaunchPlan:
    """The plan for a server that is already running, which is asked for its models.

    The key is $OPENAI_API_KEY, or in a file.
    Raises UsageError (address, choice of model) and ServerError (nothing answers, key refused).
    """
    if not request.base_url:
        raise UsageError(
            "--server attach needs --base-url", hint="such as http://127.0.0.1:8080", settings=("server",)
        )
    if request.extra_args:
        raise UsageError(
            "arguments can't be passed to a server that is already running",
            hint="leave out what stands after --, or start that server with it",
            settings=("server_args",),
        )
    base_url = parse_base_url(request.base_url)
    api_key = (
        read_key("OPENAI_API_KEY") if request.api_key_file is None else read_key_file(request.api_key_file)
    )
    names = _served_names(base_url, api_key)
    name = request.model_name
    if name is None and len(names) != 1:
        offers = f"offers {model_list.listed(names)}" if names else "lists no model"
        raise UsageError(
            f"which model? {base_url} {offers}",
            hint="choose one with --model"
            if names
            else "is that a model server? Then choose one with --model",
            settings=("base_url",),
        )
    if name is not None and names and name not in names:
        raise UsageError(
            f"{base_url} does not list the model {name!r}",
            hint=f"it offers {model_list.listed(names)}",
            settings=("model",),
        )
    health = ask(base_url, request.health_path, timeout_s=ASK_TIMEOUT_S) if request.health_path else None
    return LaunchPlan(
        kind="attach",
        argv=(),
        base_url=base_url,
        health_path=request.health_path if health is not None and health.status == 200 else "",
        model_name=name if name is not None else names[0],
        api_key=api_key,
        asked={"parallel": request.parallel or _slots(base_url, api_key) or DEFAULT_PARALLEL},
    )


def provider_plan(request: ServerRequest) -> LaunchPlan:
    """The plan. Sends nothing. Raises UsageError, also where the key is missing."""
    if request.provider is None:
        raise UsageError(
            "--server provider needs --provider", hint="such as --provider openai", settings=("server",)
        )
    facts = provider_of(request.provider)
    if request.model_name is None:
        raise UsageError(
            f"which model of {facts.name}?", hint="give its name with --model", settings=("provider",)
        )
    if request.extra_args:
        raise UsageError(
            "arguments can't be passed to a provider's server",
            hint="leave out what stands after --; parameters of requests go into --provider-params",
            settings=("server_args",),
        )
    if not (request.base_url or facts.root):
        raise UsageError(
            f"--provider {COMPATIBLE} needs --base-url",
            hint="such as --base-url https://api.example.com/v1",
            settings=("provider",),
        )
    parallel = request.parallel or _PROVIDER_PARALLEL
    return LaunchPlan(
        kind=PROVIDER,
        argv=(),
        base_url=parse_api_url(request.base_url or facts.root),
        health_path="",
        model_name=request.model_name,
        api_key=_provider_key(facts, request.api_key_file),
        asked={"parallel": parallel},
    )


def _provider_key(facts: ProviderFacts, file: Path | None) -> str | None:
    if file is not None:
        return read_key_file(file)
    key = next(filter(None, map(read_key, facts.key_variables)), None)
    if key is None and facts.needs_key:
        names = " or ".join(facts.key_variables)
        raise UsageError(
            f"{facts.name} needs an API key, and the environment variable {names} is not set",
            hint=f"export {facts.key_variables[0]}=KEY, or name a file that only you can read: --api-key-file FILE",
            settings=("provider",),
        )
    return key


def _served_names(base_url: BaseUrl, api_key: str | None) -> list[str]:
    """The names in /v1/models; [] if the server answers but has no such list."""
    answer = ask(base_url, f"{base_url.api}/models", api_key=api_key, timeout_s=ASK_TIMEOUT_S)
    if answer is None:
        raise _no_answer(base_url)
    if answer.status in {401, 403}:
        raise ServerError(
            f"{base_url} rejected the API key: {answer.status} {answer.text(120)}",
            hint="set OPENAI_API_KEY in the environment",
        )
    if answer.is_cut:
        raise ServerError(
            f"{base_url.api_url}/models returned {answer.text()}",
            hint="is that the address of a model server?",
        )
    return list(dict.fromkeys(entry["id"] for entry in model_list.entries(answer)))


def _no_answer(base_url: BaseUrl) -> ServerNotReady:
    """Why nothing answers: the other scheme, another kind of server, or none."""
    other = "http" if base_url.scheme == "https" else "https"
    elsewhere = parse_base_url(f"{other}://{base_url.written.partition('://')[2]}")
    if ask(elsewhere, f"{elsewhere.api}/models", timeout_s=ASK_TIMEOUT_S) is not None:  # without the key
        hint = f"it speaks {other}: --base-url {elsewhere}"
    elif base_url.is_local and (holder := port_holder(base_url.port)) is not None:
        hint = f"{holder.describe()} listens there and speaks no HTTP; correct the port in --base-url"
    else:
        hint = "start it, or correct --base-url"
    return ServerNotReady(f"no server answers at {base_url}", hint=hint)


def _slots(base_url: BaseUrl, api_key: str | None) -> int | None:
    """How many requests a llama-server handles at once; None if it doesn't report it."""
    answer = ask(base_url, "/props", api_key=api_key, timeout_s=ASK_TIMEOUT_S)
    props = answer.json() if answer is not None and answer.status == 200 else None
    return whole(props.get("total_slots"), most=MAX_PARALLEL) if isinstance(props, dict) else None
