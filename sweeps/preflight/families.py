"""Models of one family whose chat templates differ: they are asked in one style, but not in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.model_family import chat_template, decides_its_style, model_family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.planned_run import PlannedRun


def template_warnings(runs: Sequence[PlannedRun]) -> list[str]:
    """A sentence, without a full stop, for each family whose models have different chat templates, or only some have
    one.
    """
    families: dict[str, dict[str, str]] = {}
    for run in runs:
        model = run.spec.server.model if run.spec else None
        if run.spec is None or model is None or not decides_its_style(run.spec):
            continue
        template = chat_template(model)
        if template is not None:
            families.setdefault(model_family(run.spec), {})[model.name] = template
    return [
        text for family, templates in families.items() if family and (text := _warning(templates)) is not None
    ]


def _warning(templates: dict[str, str]) -> str | None:
    without = [name for name, template in templates.items() if not template]
    if without and len(without) < len(templates):
        has = "has" if len(without) == 1 else "have"
        first = next(name for name, template in templates.items() if template)
        return (
            f"{', '.join(without)} {has} no chat template, and {first} of the same family has one: all are asked in "
            "one style, that of the first; --prompt-style chat or completion decides it"
        )
    if len(set(templates.values())) > 1:
        return f"{', '.join(templates)} are of one family and have different chat templates: their prompts differ"
    return None
