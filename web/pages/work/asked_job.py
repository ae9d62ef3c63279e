"""From the values of the form to a request of the API, and from the API's refusals back to the form's fields."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from settings.benchmarks import BENCHMARKS
from settings.providers import LOCAL
from settings.suites import shipped_suites, suite_facts
from web.catalogue.choice import offered_providers
from web.catalogue.mistakes import Mistake, RequestRefused
from web.catalogue.models import model_facts, offered_models
from web.catalogue.request import RunRequest
from web.pages.work.start_form import MOST_LISTED, Offered, chosen, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from web.catalogue.models import ModelFacts
    from web.config import ServeConfig
    from web.pages.work.start_form import Values

_GIB = 1 << 30


def offered_by(config: ServeConfig) -> Offered:
    """What the operator offers, for the form."""
    models = offered_models(config.models_dir)
    listed = [*models][:MOST_LISTED]
    who = {f"server:{name}": f"server {name}" for name in config.servers}
    who |= {f"provider:{name}": f"provider {name}" for name in offered_providers(config) if name != LOCAL}
    return Offered(
        models={name: _about(model_facts(models[name])) if name in listed else "" for name in models},
        benchmarks=_benchmarks(),
        who=who,
        data=tuple(config.data),
        engines=tuple(config.engines),
    )


def request_of(offered: Offered, values: Values) -> RunRequest:
    """The request that the form's values make: what has several values is an axis of its manifest.

    Raises RequestRefused, with the form's own names as fields.
    """
    settings, wrong = read_settings(offered, values)
    mistakes = [Mistake(name, text) for name, text in wrong.items()]
    models, benchmarks = chosen(values, "model"), chosen(values, "benchmark")
    who = values.get("who", ("",))[0]
    matrix: dict[str, Any] = {"benchmark": benchmarks}
    defaults: dict[str, Any] = {}
    if who:
        kind, _, name = who.partition(":")
        if who in offered.who:
            defaults[kind] = name
        else:
            mistakes.append(Mistake("who", f"{name or who!r} is not offered"))
    if not benchmarks:
        mistakes.append(Mistake("benchmark", "choose at least one"))
    if models:
        matrix["model"] = models
    elif not who:
        mistakes.append(Mistake("model", "choose at least one"))
    for name, found in settings.items():
        written = [int(each) if isinstance(each, float) and each.is_integer() else each for each in found]
        if len(written) > 1:
            matrix[name] = written
        else:
            defaults[name] = written[0]
    if mistakes:
        raise RequestRefused(mistakes)
    try:
        return RunRequest.model_validate({
            "manifest": {"defaults": defaults, "matrix": matrix},
            "priority": values.get("priority", ("high",))[0],
            "project_id": values.get("project_id", (None,))[0],
            "engine": values.get("engine", (None,))[0],
        })  # fmt: skip
    except ValidationError as error:
        raise RequestRefused(
            Mistake(".".join(map(str, each["loc"])), str(each["msg"])) for each in error.errors()
        ) from None


def by_field(mistakes: Iterable[Mistake], names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Mistakes by the name of the form's field, and those that concern none."""
    known = set(names)
    found: dict[str, list[str]] = {}
    others: list[str] = []
    for mistake in mistakes:
        words = re.split(r"[.\[\]]+", mistake.field)
        name = next((word for word in reversed(words) if word in known), "")
        if not name and {"server", "provider"} & {*words}:
            name = "who"
        if name:
            found.setdefault(name, []).append(mistake.what)
        else:
            others.append(str(mistake))
    return {name: "; ".join(dict.fromkeys(texts)) for name, texts in found.items()}, others


@functools.cache
def _benchmarks() -> dict[str, str]:
    shipped = {name: suite_facts(path).about for name, path in shipped_suites().items()}
    return {name: each.about for name, each in BENCHMARKS.items()} | shipped


def _about(facts: ModelFacts) -> str:
    if facts.problem:
        return f"can't be served: {facts.problem}"
    size = f"{facts.size_bytes / _GIB:.1f} GiB" if facts.size_bytes else ""
    return ", ".join(filter(None, (facts.quantization, size, "vLLM" if facts.server == "vllm" else "")))
