"""The form that starts a run or a sweep, made from the table of settings: fields by section, with help and defaults.

Its values are texts by name, as a URL's query has them: `temperature=0,0.7` is a sweep over two temperatures. What is
wrong with one stands at its field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.errors import UsageError
from settings.setting import Section
from settings.values import allowed, closest, read_value
from web.catalogue.offered import OFFERED, offered_choices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from settings.setting import Setting

Values = dict[str, tuple[str, ...]]  # by name, without empty ones
MOST_LISTED = 150  # of models; more are named in a text field
MOST_CHARS = 20_000  # of one value
PRIORITIES = {"": "high: somebody waits for it", "normal": "normal", "low": "low"}
FIRST = ("limit",)  # settings that stand beside model and benchmark
_TITLES = {
    Section.MODEL: "Model and server",
    Section.SAMPLING: "Problems and sampling",
    Section.JUDGING: "Executed code",
    Section.SCORING: "Composite score",
    Section.COST: "Cost and cache",
    Section.PATIENCE: "Waiting and restarts",
    Section.OWN: "Settings of single benchmarks",
}
_LONG = {"system_prompt", "chat_template_kwargs"}
_ACRONYMS = {"kld": "KLD", "gpu": "GPU", "json": "JSON", "ctx": "context", "lm": "LM", "p": "p", "k": "k"}


@dataclass(frozen=True)
class Option:
    """about: a second, quieter text."""

    value: str
    text: str
    about: str = ""
    chosen: bool = False


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input. name: in the URL, and with `field-` the id of its element. kind: "line", "text" (several lines), "one"
    (of the options), "choices" (of which several may be chosen) or "list" (the same, many of them). default: what holds
    if it is empty. several: whether commas separate values. error: what is wrong with what the user gave.
    """

    name: str
    title: str
    kind: str
    help: str = ""
    default: str = ""
    several: bool = False
    options: tuple[Option, ...] = ()
    value: str = ""
    error: str = ""
    numeric: bool = False
    required: bool = False

    @property
    def id(self) -> str:
        return f"field-{self.name}"

    @property
    def is_set(self) -> bool:
        """Whether the user gave it, rightly or not."""
        return bool(self.value or self.error or any(option.chosen for option in self.options))


@dataclass(frozen=True)
class Group:
    """The fields of a section. open: whether it is shown unfolded, since a value stands in it."""

    title: str
    fields: tuple[Field, ...]

    @property
    def open(self) -> bool:
        return any(field.is_set for field in self.fields)

    @property
    def given(self) -> int:
        """How many of its fields the user gave."""
        return sum(field.is_set for field in self.fields)


@dataclass(frozen=True)
class StartForm:
    """basics: what everybody gives. groups: the others, folded. errors: what concerns no single field."""

    basics: tuple[Field, ...]
    groups: tuple[Group, ...]
    errors: tuple[str, ...] = ()

    @property
    def wrong(self) -> tuple[Field, ...]:
        """The fields with an error, in the order of the page."""
        every = (*self.basics, *(field for group in self.groups for field in group.fields))
        return tuple(field for field in every if field.error)


@dataclass(frozen=True, kw_only=True)
class Offered:
    """What the operator offers. models, benchmarks: names, and what is said of each. who: names of servers and
    providers as values of the field `who`, and what is said of each. data: names of files. engines: names of machines.
    """

    models: Mapping[str, str]
    benchmarks: Mapping[str, str]
    who: Mapping[str, str]
    data: Sequence[str] = ()
    engines: Sequence[str] = ()

    @property
    def settings(self) -> dict[str, Setting]:
        """Those that a request may give; those that name a file only where there is one to name."""
        return {name: each for name, each in OFFERED.items() if each.kind != "path" or self.data}


def values_of(query: Iterable[tuple[str, str]], known: Iterable[str]) -> Values:
    """The values that stand in a query, of known names only; without blanks, empty ones and repetitions."""
    names = set(known)
    found: Values = {}
    for name, text in query:
        value = text.strip()[:MOST_CHARS]
        if name in names and value and value not in found.get(name, ()):
            found[name] = (*found.get(name, ()), value)
    return found


def start_form(
    offered: Offered, values: Values, errors: Mapping[str, str] | None = None, general: Sequence[str] = ()
) -> StartForm:
    """The form with these values in it. errors: by field, besides those that a value has by itself; None: it is not
    checked yet. general: errors that concern no single field.
    """
    wrong = {**read_settings(offered, values)[1], **errors} if errors is not None else {}
    basics = [
        _named("model", "Models", offered.models, values, wrong),
        _named("benchmark", "Benchmarks", offered.benchmarks, values, wrong),
        *(_field(offered, offered.settings[name], values, wrong) for name in FIRST),
    ]
    if offered.who or len(offered.models) > MOST_LISTED or "other_model" in values:
        about = "By name, separated by commas: those of a provider, say."
        basics.append(_line("other_model", "Other models", about, values))
    groups: dict[Section, list[Field]] = {section: [] for section in _TITLES}
    if offered.who:
        who = {"": "a server on this machine", **offered.who}
        groups[Section.MODEL].append(_one("who", "Who answers", who, values, wrong))
    for name, setting in offered.settings.items():
        if name not in FIRST and setting.section in groups:
            groups[setting.section].append(_field(offered, setting, values, wrong))
    made = [Group(_TITLES[section], tuple(fields)) for section, fields in groups.items() if fields]
    about = "Of your own, to find the job by."
    machines = {"": "this machine", **{name: name for name in offered.engines}}
    job = (
        *([_one("engine", "Machines", machines, values, wrong)] if offered.engines else []),
        _one("priority", "Priority", PRIORITIES, values, wrong),
        _line("project_id", "Label", about, values, wrong),
    )
    made.append(Group("This job", job))
    known = {field.name for field in basics} | {field.name for group in made for field in group.fields}
    lost = tuple(text for name, text in wrong.items() if name not in known)
    return StartForm(tuple(basics), tuple(made), (*general, *lost))


def field_names(offered: Offered) -> tuple[str, ...]:
    """The names that a query may have."""
    return ("model", "other_model", "benchmark", "who", "engine", "priority", "project_id", *offered.settings)


def read_settings(offered: Offered, values: Values) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Each given setting's values, one or several; and by name what is wrong with others."""
    read: dict[str, list[Any]] = {}
    wrong: dict[str, str] = {}
    for name, setting in offered.settings.items():
        try:
            found = [
                _value(setting, text, offered) for text in _texts(setting, offered, values.get(name, ()))
            ]
        except UsageError as error:
            hint = error.hint or allowed(setting)
            wrong[name] = f"{error.message}{f' ({hint})' if hint else ''}"
            continue
        if found:
            read[name] = found
    return read, wrong


def chosen(values: Values, name: str) -> list[str]:
    """The chosen names, those in the text field beside a long list included."""
    typed = (text.strip() for value in values.get(f"other_{name}", ()) for text in value.split(","))
    return list(dict.fromkeys((*values.get(name, ()), *filter(None, typed))))


def title_of(setting: Setting) -> str:
    """`gpu_layers` as `GPU layers`."""
    words = " ".join(_ACRONYMS.get(word, word) for word in setting.name.split("_"))
    return words[:1].upper() + words[1:] if words.split(" ", 1)[0] not in {"p", "k"} else words


def _named(
    name: str, title: str, names: Mapping[str, str], values: Values, wrong: Mapping[str, str]
) -> Field:
    """A choice among names of the operator's. What was chosen comes first, and stays shown where it isn't offered."""
    picked = [*values.get(name, ())]
    shown = dict.fromkeys([*picked, *names])
    options = tuple(Option(each, each, names.get(each, "not offered here"), each in picked) for each in shown)
    return Field(
        name=name,
        title=title,
        kind="list",
        options=options[:MOST_LISTED],
        error=wrong.get(name, ""),
        required=True,
    )


def _one(
    name: str, title: str, options: Mapping[str, str], values: Values, wrong: Mapping[str, str]
) -> Field:
    picked = values.get(name, ("",))[0]
    shown = {**options, **({} if picked in options else {picked: picked})}
    return Field(
        name=name,
        title=title,
        kind="one",
        options=tuple(
            Option(value, text, "", bool(value) and value == picked) for value, text in shown.items()
        ),
        error=wrong.get(name, ""),
    )


def _line(name: str, title: str, text: str, values: Values, wrong: Mapping[str, str] | None = None) -> Field:
    given = ", ".join(values.get(name, ()))
    return Field(
        name=name, title=title, kind="line", help=text, value=given, error=(wrong or {}).get(name, "")
    )


def _field(offered: Offered, setting: Setting, values: Values, wrong: Mapping[str, str]) -> Field:
    given = values.get(setting.name, ())
    options = _options(setting, offered)
    default = setting.default_text or ("" if setting.default in {None, False} else _plain(setting.default))
    of = f" For {', '.join(setting.benchmarks)}." if setting.benchmarks else ""
    return Field(
        name=setting.name,
        title=title_of(setting),
        kind="choices" if options else "text" if setting.name in _LONG else "line",
        help=f"{setting.help}{of}",
        default=default,
        several=setting.is_numeric or setting.kind == "size",
        options=tuple(Option(each, each, "", each in given) for each in _with_others(options, given)),
        value="" if options else ",".join(given),
        error=wrong.get(setting.name, ""),
        numeric=setting.is_numeric,
    )


def _options(setting: Setting, offered: Offered) -> tuple[str, ...]:
    if setting.kind == "flag":
        return ("true", "false")
    if setting.kind == "path":
        return tuple(offered.data)
    return offered_choices(setting) if setting.choices else ()


def _with_others(options: Sequence[str], given: Sequence[str]) -> Sequence[str]:
    """The options, and after them what was given and is none, so that nothing that was asked for is hidden."""
    return [*options, *(each for each in given if each not in options)] if options else ()


def _texts(setting: Setting, offered: Offered, given: Sequence[str]) -> list[str]:
    if _options(setting, offered) or not (setting.is_numeric or setting.kind == "size"):
        return [*given]
    return [text.strip() for value in given for text in value.split(",") if text.strip()]


def _value(setting: Setting, text: str, offered: Offered) -> Any:
    if setting.kind == "path":
        if text not in offered.data:
            raise UsageError(f"{text!r} is not offered", hint=f"one of {', '.join(offered.data)}")
        return text
    choices = offered_choices(setting) if setting.choices else ()
    if choices and text not in choices:
        raise UsageError(
            f"{text!r} is not one of {', '.join(choices)}", hint=closest(text, choices).removeprefix("; ")
        )
    return read_value(setting, text, variables=False)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
