"""Which settings a request may give, and how. What no rule names is the operator's: a new setting is offered to nobody
before somebody says so.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from settings.setting import Determines, Section
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.setting import Setting

_OF_REQUEST = {"benchmark", "model", "server", "provider"}
_OF_OPERATOR = {"shards"}  # on how many of the operator's machines a run is done
_BY_MODEL = {"kld_reference"}
_REFUSED_CHOICES = {"sandbox": ("process",)}  # no sandbox at all


class Offer(enum.Enum):
    """How a request gives a setting.

    VALUE: as it is. DATA: by the name of a file of the operator's. MODEL: by the name of one of the operator's models.
    FIELD: by a field of the request with that subject. OPERATOR: not at all.
    """

    VALUE = "value"
    DATA = "data"
    MODEL = "model"
    FIELD = "field"
    OPERATOR = "operator"


def offer_of(setting: Setting) -> Offer:
    """How a request may give it.

    Numbers and choices are values, and so is what goes to the model as text. Whatever may name a file, a program, an
    address or an option of a program is the operator's, unless a name of the catalogue can stand for it.
    """
    if setting.hidden or setting.name in _OF_OPERATOR or setting.section is Section.OPTIMISER:
        return Offer.OPERATOR
    if setting.name in _OF_REQUEST:
        return Offer.FIELD
    if setting.name in _BY_MODEL:
        return Offer.MODEL
    if setting.kind == "path" and setting.is_own and setting.determines is Determines.RESULT:
        return Offer.DATA
    return Offer.VALUE if _is_value(setting) else Offer.OPERATOR


def _is_value(setting: Setting) -> bool:
    if setting.section is Section.MODEL and setting.determines is Determines.NOTHING:
        return False  # where a server is
    if setting.kind == "size" and setting.determines is Determines.NOTHING:
        return False  # how much this machine keeps, of everybody's
    if setting.kind in {"whole", "number", "size", "flag", "weights"}:
        return True
    if setting.section in {Section.SAMPLING, Section.JUDGING} and setting.kind in {"text", "json"}:
        return True
    if setting.kind != "text":
        return False
    return (
        bool(setting.pattern)
        if setting.is_own
        else setting.section is Section.MODEL and bool(setting.choices)
    )


OFFERED: Mapping[str, Setting] = {
    name: setting
    for name, setting in TABLE.items()
    if offer_of(setting) in {Offer.VALUE, Offer.DATA, Offer.MODEL}
}


def offered_choices(setting: Setting) -> tuple[str, ...]:
    """Its choices without those that a request may not take."""
    refused = _REFUSED_CHOICES.get(setting.name, ())
    return tuple(choice for choice in setting.every_choice if choice not in refused)
