"""A scenario: what is asked, which tools there are, what they give, and which calls and answer are right."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from evaluation.benchmarks.tools.arguments import BadArguments, read_arguments, require_schema, shown
from evaluation.benchmarks.tools.values import (
    assigned,
    difference,
    form_of,
    objects_difference,
    readable,
    stands_in,
)
from evaluation.protocols import Prompt
from results.messages import Message, ToolCall, call_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.benchmarks.tools.case import Conversation
    from evaluation.protocols import Tool

MOST_TURNS = 5
_NO_DATA = json.dumps({"error": "no data for these arguments"})


@dataclass(frozen=True, kw_only=True)
class ToolSpec:
    """A tool as it is offered. parameters: a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @property
    def offer(self) -> Tool:
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": dict(self.parameters),
            },
        }

    @functools.cached_property
    def validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.parameters)

    def default(self, name: str) -> Any:
        """What an argument is where it is left out; None where that is not said."""
        schema = self.parameters.get("properties", {}).get(name)
        return (
            schema.get("default") if isinstance(schema, dict) else None
        )  # a schema may also be true or false


@dataclass(frozen=True, kw_only=True)
class ExpectedCall:
    """arguments: expectations as in `values`. What is not named may be there only with its default."""

    tool: str
    arguments: Mapping[str, Any]

    @property
    def text(self) -> str:
        return f"{self.tool}({json.dumps(readable(self.arguments), ensure_ascii=False)})"


@dataclass(frozen=True, kw_only=True)
class ScriptedResult:
    """What a tool gives, where its arguments are as in `when`; those not named there may be anything.

    times: for how many calls that holds; None: for all.
    """

    tool: str
    when: Mapping[str, Any]
    gives: str
    times: int | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Implements `ToolCase`.

    steps: the calls that are right; those of one step in any order, all of them before those of the next, since these
    need what they gave. in_one_turn: those of a step come together. says, lacks: texts that the last answer has (one of
    each group), or must not have.
    """

    id: str
    category: str
    system: str = ""
    history: tuple[Message, ...] = ()
    user: str
    tools: tuple[ToolSpec, ...]
    steps: tuple[tuple[ExpectedCall, ...], ...] = ()
    in_one_turn: bool = False
    script: tuple[ScriptedResult, ...] = ()
    says: tuple[tuple[str, ...], ...] = ()
    lacks: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)

    @property
    def prompt(self) -> Prompt:
        return Prompt(
            self.system, self.user, history=self.history, tools=tuple(tool.offer for tool in self.tools)
        )

    @property
    def expected_text(self) -> str:
        steps = ["; ".join(call.text for call in step) for step in self.steps]
        return " then ".join(steps) or "no call"

    @property
    def most_turns(self) -> int:
        """One where nothing is given back: what was called is seen then."""
        return MOST_TURNS if self.script else 1

    def results(self, transcript: Sequence[Message]) -> list[str] | None:
        """What the calls of the last message give; None where one of them can't be read, which no server takes back."""
        calls = [call for message in transcript for call in message.tool_calls]
        last = len(transcript[-1].tool_calls)
        used: dict[int, int] = {}
        given = []
        for call in calls:
            try:
                arguments = read_arguments(call.arguments)
            except BadArguments:
                return None
            given.append(self._given(call, arguments, used))
        return given[len(given) - last :]

    def wrong(self, said: Conversation) -> str:
        """Whether the right calls were made, in the right order, and the right thing was said in the end."""
        why = self._wrong_call(said) or self._wrong_order(said)
        if not why and said.open_end and self.most_turns > 1:
            why = f"it was still calling after {len(said.turns)} turns"
        if not why and not said.open_end:
            why = self._wrong_text(said)
        return why

    def _wrong_call(self, said: Conversation) -> str:
        """What is wrong with any call by itself."""
        specs = {tool.name: tool for tool in self.tools}
        for call in said.calls:
            if not call.name:
                return f"the server could not read a call: {shown(call.arguments)}"
            if call.name not in specs:
                return f"it called {shown(call.name)}, which it was not offered"
            if not self.steps:
                return f"it called {shown(call_text(call))} where no call was due"
            try:
                require_schema(read_arguments(call.arguments), specs[call.name].validator)
            except BadArguments as error:
                return f"{call.name}: {error}"
        return ""

    def _wrong_order(self, said: Conversation) -> str:
        """What is wrong with the calls together."""
        rest = list(self.steps)
        made: list[ToolCall] = []
        for turn in filter(None, said.turns):
            if not rest:
                return f"it called {shown(call_text(turn[0]))} after all that was due"
            made += turn
            if self.in_one_turn and len(turn) < len(rest[0]):
                return f"{_calls(len(turn))} in one turn instead of {len(rest[0])}"
            if wrong := self._wrong_step(made, rest[0]):
                return wrong
            if len(made) == len(rest[0]):
                made = []
                rest.pop(0)
        if not rest:
            return ""
        if not said.calls:
            in_text = "; one stands in the text, which the server did not read" * said.has_call_in_text
            return f"it called nothing, not {shown(rest[0][0].text)}{in_text}"
        due = [call for step in rest for call in step]
        return f"{_calls(len(due) - len(made))} missing: {shown('; '.join(call.text for call in due))}"

    def _wrong_step(self, made: Sequence[ToolCall], step: Sequence[ExpectedCall]) -> str:
        """What is wrong with the calls of a step so far."""
        if len(made) > len(step):
            return f"{_calls(len(made))} instead of {len(step)}: {shown('; '.join(map(call_text, made)))}"
        if assigned(made, step, lambda call, wanted: not self._difference(call, wanted)) is not None:
            return ""
        for call in made:
            near = [wanted for wanted in step if wanted.tool == call.name]
            if not near:
                return f"it called {shown(call_text(call))}, not {shown(step[0].text)}"
            if all(self._difference(call, wanted) for wanted in near):
                left = [wanted for wanted in near if all(self._difference(each, wanted) for each in made)]
                return f"{call.name}: {self._difference(call, (left or near)[0])}"
        return f"the same call twice: {shown('; '.join(map(call_text, made)))}"

    def _difference(self, call: ToolCall, wanted: ExpectedCall) -> str:
        if call.name != wanted.tool:
            return f"not {wanted.tool}"
        spec = next(tool for tool in self.tools if tool.name == call.name)
        given = {
            name: value
            for name, value in read_arguments(call.arguments).items()
            if name in wanted.arguments or value is None or difference(value, spec.default(name))
        }
        return objects_difference(given, wanted.arguments)

    def _wrong_text(self, said: Conversation) -> str:
        if not self.steps and said.has_call_in_text:
            return "a call stands in its answer, where none was due"
        for group in self.says:
            if not any(stands_in(part, said.text) for part in group):
                return f"its answer does not say {' or '.join(map(repr, group))}: {shown(said.text)}"
        found = next((part for part in self.lacks if stands_in(part, said.text)), None)
        return "" if found is None else f"its answer says {found!r}: {shown(said.text)}"

    def _given(self, call: ToolCall, arguments: Mapping[str, Any], used: dict[int, int]) -> str:
        if all(call.name != tool.name for tool in self.tools):
            return json.dumps({"error": f"there is no tool {shown(call.name)}"}, ensure_ascii=False)
        for number, result in enumerate(self.script):
            spent = result.times is not None and used.get(number, 0) >= result.times
            if result.tool == call.name and not spent and _is_meant(arguments, result.when):
                used[number] = used.get(number, 0) + 1
                return result.gives
        return _NO_DATA


def _is_meant(arguments: Mapping[str, Any], when: Mapping[str, Any]) -> bool:
    return all(
        name in arguments and not difference(arguments[name], wanted)
        for name, wanted in when.items()
        if form_of(wanted)[0] != "$optional"
    )


def _calls(count: int) -> str:
    return f"{count} call{'s' * (count != 1)}"
