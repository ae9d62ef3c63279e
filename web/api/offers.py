"""What a request may name: models, servers, providers, data, suites and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter

from settings.benchmarks import BENCHMARKS
from settings.suites import shipped_suites, suite_facts
from web.api.asking import Answer, Reader
from web.catalogue.choice import offered_providers
from web.catalogue.models import model_facts, offered_models
from web.catalogue.offered import OFFERED, offer_of, offered_choices
from web.config import API_ROOT
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from settings.setting import Setting
    from web.services import Services

router = APIRouter(prefix=API_ROOT, tags=["jobs"])


class OfferedModel(Answer):
    """problem: why it can't be served; "" if nothing is known to be wrong."""

    name: str
    server: str
    size_bytes: int | None
    architecture: str
    quantization: str
    parameter_count: int | None
    context_length: int | None
    problem: str


class OfferedSuite(Answer):
    name: str
    about: str


class OfferedSetting(Answer):
    """given: as a value; as `data` or `model`: by a name of the catalogue. minimum, maximum: inclusive; above:
    exclusive. benchmarks: those that know it; none: all.
    """

    name: str
    help: str
    section: str
    kind: str
    given: Literal["value", "data", "model"]
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    above: float | None
    default: str
    benchmarks: tuple[str, ...]


class Offers(Answer):
    """The operator's catalogue."""

    models: tuple[OfferedModel, ...]
    servers: tuple[str, ...]
    providers: tuple[str, ...]
    engines: tuple[str, ...]
    data: tuple[str, ...]
    suites: tuple[OfferedSuite, ...]
    settings: tuple[OfferedSetting, ...]


@router.get("/catalogue")
def catalogue(services: ServicesDep, caller: Reader) -> Offers:
    """What POST /run may name."""
    del caller
    return offers(services)


def offers(services: Services) -> Offers:
    """The same for pages. Reads the headers of all models' files."""
    config = services.config
    models = offered_models(config.models_dir)
    return Offers(
        models=tuple(OfferedModel.model_validate(model_facts(models[name])) for name in sorted(models)),
        servers=tuple(config.servers),
        providers=tuple(offered_providers(config)),
        engines=tuple(config.engines),
        data=tuple(config.data),
        suites=offered_suites(),
        settings=tuple(map(_setting, OFFERED.values())),
    )


def offered_suites() -> tuple[OfferedSuite, ...]:
    """Benchmarks first."""
    shipped = {name: suite_facts(path).about for name, path in shipped_suites().items()}
    known = {name: each.about for name, each in BENCHMARKS.items()} | shipped
    return tuple(OfferedSuite(name=name, about=about) for name, about in known.items())


def _setting(setting: Setting) -> OfferedSetting:
    return OfferedSetting.model_validate(
        {
            "name": setting.name,
            "help": setting.help,
            "section": str(setting.section),
            "kind": setting.kind,
            "given": offer_of(setting).value,
            "choices": offered_choices(setting),
            "minimum": setting.minimum,
            "maximum": setting.maximum,
            "above": setting.above,
            "default": setting.default_text or ("" if setting.default is None else str(setting.default)),
            "benchmarks": setting.benchmarks,
        }
    )
