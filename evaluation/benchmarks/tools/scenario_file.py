"""Read a file of scenarios: YAML or JSON, checked whole, all its errors at once."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from documents.problems import Problem, refuse
from documents.reading import read_file, read_text
from evaluation.benchmarks.tools.arguments import BadArguments, require_schema
from evaluation.benchmarks.tools.scenarios import ExpectedCall, Scenario, ScriptedResult, ToolSpec
from evaluation.benchmarks.tools.values import FORMS, form_of, normal
from results.messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from documents.tree import Node

T = TypeVar("T")
ENDINGS = (".yaml", ".yml", ".json")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # of a tool: what OpenAI takes
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PLACE = re.compile(r"^(.*) - at `\$(.*)`$", re.DOTALL)
_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "$any": (lambda what: what is True, "true"),
    "$one_of": (lambda what: isinstance(what, list) and bool(what), "a list"),
    "$exact": (lambda what: isinstance(what, str), "a text"),
    "$contains": (lambda what: _is_list_of(what, str), "a list of texts"),
    "$unordered": (lambda what: isinstance(what, list), "a list"),
    "$near": (lambda what: _is_list_of(what, int | float) and len(what) == 2, "a list of two numbers"),
    "$optional": (lambda _: True, "a value"),
}  # fmt: skip
_HINT = "docs/benchmarks.md describes the format"


class ScenarioFile(NamedTuple):
    """sha256: of the file's bytes."""

    scenarios: tuple[Scenario, ...]
    version: str
    sha256: str


class _Written(msgspec.Struct, forbid_unknown_fields=True): ...


class _Tool(_Written, kw_only=True):
    description: str
    parameters: dict[str, Any]


class _Said(_Written, kw_only=True):
    role: str
    content: str


class _Result(_Written, kw_only=True):
    tool: str
    when: dict[str, Any] = {}
    gives: Any
    times: int | None = None


_Call = dict[str, dict[str, Any]]  # {tool: arguments}


class _Scenario(_Written, kw_only=True):
    id: str
    category: str
    system: str = ""
    history: list[_Said] = []
    user: str
    tools: list[str]
    calls: list[_Call | list[_Call]] = []
    in_one_turn: bool = False
    results: list[_Result] = []
    says: list[str | list[str]] = []
    lacks: list[str] = []


def read_scenarios(path: Path) -> ScenarioFile:
    """Raises UsageError that tells every problem by file, line and field."""
    source = read_file(path, kind="a file of scenarios", endings=ENDINGS)
    document, problems = read_text(source.text, source.form, source.name, hint=_HINT)
    reading = _Reading(problems)
    scenarios = reading.file(document)
    refuse(str(path), reading.problems, hint=_HINT)
    version = document.value.get("version")
    return ScenarioFile(tuple(scenarios), version.text if version is not None else "", source.sha256)


class _Reading:
    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self._tools: dict[str, ToolSpec] = {}

    def file(self, document: Node) -> list[Scenario]:
        fields = document.value if isinstance(document.value, dict) else {}
        if not isinstance(document.value, dict):
            self._wrong(document, "", "must be a mapping with the keys tools and scenarios")
        for name, node in fields.items():
            if name not in {"version", "tools", "scenarios"}:
                self._wrong(node, name, "is not a field of the format; known are version, tools, scenarios")
        tools = self._inside(fields, "tools", dict)
        for name, node in tools.items():
            self._tool(name, node, f"tools.{name}")
        found: dict[str, Scenario] = {}
        for number, node in enumerate(self._inside(fields, "scenarios", list)):
            at = f"scenarios[{number}]"
            scenario = self._scenario(node, at)
            if scenario is not None and found.setdefault(scenario.id, scenario) is not scenario:
                self._wrong(node, f"{at}.id", f"{scenario.id!r} is given twice")
        return list(found.values())

    def _tool(self, name: str, node: Node, at: str) -> None:
        written = self._converted(node, at, _Tool)
        if written is None:
            return
        if not _NAME.fullmatch(name):
            self._wrong(node, at, "a tool's name has at most 64 letters, digits, _ and -")
        try:
            Draft202012Validator.check_schema(written.parameters)
        except SchemaError as error:
            self._wrong(node, f"{at}.parameters", f"is not a JSON Schema: {error.message}")
            return
        if written.parameters.get("type") != "object":
            self._wrong(node, f"{at}.parameters", "must have the type object")
        if wrong := _bad_reference(written.parameters):
            self._wrong(node, f"{at}.parameters", wrong)
            return
        self._tools[name] = ToolSpec(
            name=name, description=written.description, parameters=written.parameters
        )

    def _scenario(self, node: Node, at: str) -> Scenario | None:
        written = self._converted(node, at, _Scenario)
        if written is None:
            return None
        offered = [self._tools[name] for name in written.tools if name in self._tools]
        for message in self._mistakes(written, offered):
            self._wrong(node, at, message)
        return Scenario(
            id=written.id,
            category=written.category,
            system=written.system.strip(),
            history=tuple(Message(said.role, said.content) for said in written.history),
            user=written.user.strip(),
            tools=tuple(offered),
            steps=tuple(
                tuple(ExpectedCall(tool=tool, arguments=arguments) for call in step for tool, arguments in call.items())
                for step in _steps(written)
            ),
            in_one_turn=written.in_one_turn,
            script=tuple(
                ScriptedResult(tool=each.tool, when=each.when, gives=_as_text(each.gives), times=each.times)
                for each in written.results
            ),
            says=tuple((group,) if isinstance(group, str) else tuple(group) for group in written.says),
            lacks=tuple(written.lacks),
            line=node.line,
        )  # fmt: skip

    def _mistakes(self, written: _Scenario, offered: Sequence[ToolSpec]) -> Iterator[str]:
        """What is well-formed and makes no sense."""
        specs = {spec.name: spec for spec in offered}
        for name, text in (("id", written.id), ("category", written.category)):
            if not _ID.fullmatch(text):
                yield f"{name} {text!r} must be of small letters, digits, _ and -"
        for name in written.tools:
            if name not in self._tools:
                yield f"there is no tool {name!r} in this file"
        for role in {said.role for said in written.history} - {"user", "assistant"}:
            yield f"the role {role!r} in history must be user or assistant"
        for each in written.results:
            if each.tool not in specs:
                yield f"a result of {each.tool!r}, which is not offered"
        steps = _steps(written)
        if not all(steps):
            yield "a step of calls is empty; leave calls out where no call is due"
        if not all(written.says):
            yield "a group of says is empty, so that no answer has one of it"
        groups = ([group] if isinstance(group, str) else group for group in written.says)
        if not all(map(normal, (*written.lacks, *(text for group in groups for text in group)))):
            yield "a text of says or lacks is empty, so that it stands in each answer"
        if len(steps) > 1 and not written.results:
            yield "several steps of calls need results, without which there is only one turn"
        if (written.says and steps) and not written.results:
            yield "what it says after its calls needs results, without which there is only one turn"
        for call in (call for step in steps for call in step):
            if len(call) != 1:
                yield "each call must be a mapping of one tool to its arguments"
            for tool, arguments in call.items():
                if tool not in specs:
                    yield f"a call of {tool!r}, which is not offered"
                else:
                    yield from _mistakes_in(arguments, specs[tool])
        for each in written.results:
            yield from (f"when of {each.tool}: {what}" for what in _bad_forms(each.when))

    def _converted(self, node: Node, at: str, kind: type[T]) -> T | None:
        try:
            return msgspec.convert(node.plain(), kind)
        except msgspec.ValidationError as error:
            found = _PLACE.match(str(error))
            what, place = (found[1], found[2]) if found else (str(error), "")
            self._wrong(_at(node, place), f"{at}{place}", what)
            return None

    def _inside(self, fields: Mapping[str, Node], name: str, kind: type[T]) -> T:
        node = fields.get(name)
        if node is None or not isinstance(node.value, kind) or not node.value:
            what = (
                "is missing"
                if node is None
                else f"must be a {'list' if kind is list else 'mapping'} with something in it"
            )
            self.problems.append(Problem(node.line if node else 1, name, what))
            return kind()
        return node.value

    def _wrong(self, node: Node, field: str, message: str) -> None:
        self.problems.append(Problem(node.line, field, message))


def _mistakes_in(arguments: Mapping[str, Any], spec: ToolSpec) -> Iterator[str]:
    properties = spec.parameters.get("properties", {})
    yield from (f"{spec.name} has no argument {name!r}" for name in arguments if name not in properties)
    for name in spec.parameters.get("required", ()):
        if name not in arguments or form_of(arguments[name])[0] == "$optional":
            yield f"{spec.name} needs the argument {name!r}"
    wrong = list(_bad_forms(arguments))
    yield from wrong
    if wrong:
        return
    for name, value in arguments.items():
        # One argument by itself, whose references lead into the whole schema.
        alone = spec.validator.evolve(schema={"properties": {name: properties.get(name, {})}})
        for example in _examples(value):
            try:
                require_schema({name: example}, alone)
            except BadArguments as error:
                yield f"what is expected of {spec.name} breaks its schema: {error}"


def _bad_reference(parameters: dict[str, Any]) -> str:
    """What is wrong with the schema's references. They stay in it, since nothing is fetched to judge an answer."""
    within = Registry[Any]().resolver_with_root(DRAFT202012.create_resource(parameters))
    for reference in _references(parameters):
        if not reference.startswith("#"):
            return f"the reference {reference!r} must begin with #: it can only lead to a part of this schema"
        try:
            within.lookup(reference)
        except Unresolvable:
            return f"there is no {reference!r} in this schema"
    return ""


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (
            each for name, each in schema.items() if name in {"$ref", "$dynamicRef"} and isinstance(each, str)
        )
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for each in inner:
        yield from _references(each)


def _bad_forms(value: Any) -> Iterator[str]:
    name, what = form_of(value)
    if name and name not in FORMS:
        yield f"{name} is no expectation; known are {', '.join(FORMS)}"
    elif name and not _CHECKS[name][0](what):
        yield f"{name} must have {_CHECKS[name][1]}"
    elif isinstance(what, dict):
        for each in what.values():
            yield from _bad_forms(each)
    elif isinstance(what, list) and name not in {"$contains", "$near"}:
        for each in what:
            yield from _bad_forms(each)


def _examples(value: Any) -> list[Any]:
    """Values that are as expected, where they are plain."""
    name, what = form_of(value)
    if name == "$one_of":
        return [example for each in what for example in _examples(each)]
    if name == "$optional":
        return _examples(what)
    if name == "$exact":
        return [what]
    if name == "$unordered":
        each_one = [_examples(each) for each in what]
        if not all(each_one):
            return []
        first = [some[0] for some in each_one]
        others = (
            [*first[:place], one, *first[place + 1 :]]
            for place, some in enumerate(each_one)
            for one in some[1:]
        )
        return [first, *others]
    if name == "$near":
        return [what[0]]
    is_plain = not name and not any("$" in text for text in (json.dumps(value),))
    return [value] if is_plain else []


def _is_list_of(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, kind) for each in value)


def _steps(written: _Scenario) -> list[list[_Call]]:
    return [[step] if isinstance(step, dict) else step for step in written.calls]


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _at(node: Node, place: str) -> Node:
    """The node at msgspec's path, or the nearest above it."""
    for name, number in _PART.findall(place):
        inner = node.value
        if name and isinstance(inner, dict) and name in inner:
            node = inner[name]
        elif number and isinstance(inner, list) and int(number) < len(inner):
            node = inner[int(number)]
        else:
            break
    return node
