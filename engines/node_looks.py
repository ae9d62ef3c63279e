"""Look at the machines of an engine before a sweep: what each has, and what would stand in the way.

An engine that can do so has the method `looks`. It runs `python -m engines.node.node_check` on each machine, in the
folder of bench_runner there, with `NodeQuestion.words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from engines.contract import Finding
from engines.node.node_check import NodeCheck
from results.json_text import NOT_THAT_JSON
from runner.host import harness_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engines.unit import Unit

MODULE = "engines.node.node_check"
_MOST_SHOWN = 5
CLOCK_S = 5.0  # records are ordered by other things than clocks, but people read the times
LEAST_DISK_BYTES = 1 << 30
SERVERS = {
    "llama.cpp": ("llama-server", "llama.cpp in Python (xllamacpp)"),
    "vllm": ("vllm",),
}  # as doctor calls them


@dataclass(frozen=True, kw_only=True)
class NodeQuestion:
    """What is asked of every machine. models: paths on this machine. variables: names."""

    models: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def words(
        self, *, workdir: str = "", model_folders: Iterable[str] = (), variables: Iterable[str] = ()
    ) -> list[str]:
        """The command's words after the module's name, for one machine: its folders, and variables that it names."""
        found = ["--workdir", workdir] if workdir else []
        for option, values in (
            ("--model", self.models),
            ("--models", model_folders),
            ("--variable", dict.fromkeys((*self.variables, *variables))),
        ):
            found += [f"{option}={value}" for value in values]
        return found


@dataclass(frozen=True, kw_only=True)
class NodeLook:
    """What was seen of one machine. check: None if it couldn't be looked at, and why says what happened. clock_s: how
    far its clock is ahead; uncertain_s: by how much that may be wrong. note: what else the engine saw, "" for nothing.
    """

    place: str
    check: NodeCheck | None = None
    why: str = ""
    hint: str = ""
    clock_s: float = 0.0
    uncertain_s: float = 0.0
    note: str = ""


class LooksAtNodes(Protocol):
    """An engine that can look at its machines."""

    def looks(self, question: NodeQuestion) -> Sequence[NodeLook]:
        """One look a machine, at several at the same time. Takes seconds. One that can't be reached is a look too."""


def look_of(place: str, answer: bytes, *, asked: float, answered: float) -> NodeLook:
    """From what the program printed there. asked, answered: seconds since 1970 here, around it."""
    lines = answer.strip().splitlines()
    try:
        check = msgspec.json.decode(lines[-1] if lines else b"", type=NodeCheck)
    except NOT_THAT_JSON:
        said = lines[-1][:200].decode(errors="replace") if lines else "nothing"
        return NodeLook(
            place=place,
            why=f"it answered something else than what it has: {said}",
            hint="see that its shell prints nothing, and that bench_runner there is the same version",
        )
    return NodeLook(
        place=place,
        check=check,
        clock_s=check.time - answered if check.time > answered else min(0.0, check.time - asked),
        uncertain_s=answered - asked,
    )


def question_for(units: Sequence[Unit]) -> NodeQuestion:
    """What these units need."""
    models = {
        str(todo.spec.server.model.path): None
        for unit in units
        for todo in unit.todo
        if todo.spec is not None and todo.spec.server.model is not None and not todo.spec.server.is_running
    }
    return NodeQuestion(models=tuple(models))


def findings(looks: Sequence[NodeLook], units: Sequence[Unit] = ()) -> list[Finding]:
    """What stands in the way of these units. One machine that can't is a warning, as others may do its work; if none
    can, it is an error.
    """
    found = [
        Finding(message=each.why, hint=each.hint, place=each.place, is_error=False)
        for each in looks
        if each.check is None
    ]
    in_the_way = list(found)
    ours = harness_facts()
    able = 0
    for look in looks:
        if look.check is None:
            continue
        wrong = _cannot(look.check, ours, units)
        stands = [Finding(message=text, hint=hint, place=look.place, is_error=False) for text, hint in wrong]
        in_the_way += stands
        found += stands
        able += not wrong
        found += [Finding(message=text, place=look.place, is_error=False) for text in _notes(look)]
    if looks and not able:
        why = "; ".join(f"{each.place}: {each.message}" for each in in_the_way[:_MOST_SHOWN])
        hint = next((each.hint for each in in_the_way if each.hint), "")
        found.append(Finding(message=f"none of the machines can do these runs: {why}", hint=hint))
    return found


def _cannot(check: NodeCheck, ours: dict[str, object], units: Sequence[Unit]) -> list[tuple[str, str]]:
    found = []
    for name in ("version", "commit"):
        there = check.harness.get(name)
        if there != ours[name]:
            found.append(
                (
                    f"bench_runner there is {there}, and here {ours[name]}",
                    "install the same one on every machine",
                )
            )
            break
    servers = [todo.spec.server for unit in units for todo in unit.todo if todo.spec is not None]
    for kind in sorted({server.kind for server in servers if server.server_binary is None}):
        names = SERVERS.get(kind, ())
        if names and not any(server.ok for server in check.servers if server.name in names):
            found.append((f"it has no {' and no '.join(names)}", "see `bench_runner.py doctor` there"))
    needed = [unit.needs.gpus for unit in units if unit.needs.needs_gpus]
    if needed and min(needed) > check.usable_gpus:
        found.append(
            (
                f"it has {check.usable_gpus} GPUs, and the runs need {min(needed)}",
                "see `bench_runner.py doctor` there",
            )
        )
    return found


def _notes(look: NodeLook) -> list[str]:
    check = look.check
    if check is None:
        return []
    found = [look.note] if look.note else []
    if abs(look.clock_s) - look.uncertain_s > CLOCK_S:
        way = "ahead" if look.clock_s > 0 else "behind"
        found.append(f"its clock is {abs(look.clock_s):.0f} s {way}, so the times in records differ")
    if check.disk_free_bytes is not None and check.disk_free_bytes < LEAST_DISK_BYTES:
        found.append(f"only {check.disk_free_bytes >> 20} MiB are free in {check.workdir}")
    found += [
        f"the variable {name} is not set there" for name, is_set in check.variables.items() if not is_set
    ]
    return found
