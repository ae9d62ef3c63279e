"""`inspect`: the answers of one run, as an index or whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results.messages import call_text
from results.plain_text import plain
from results.records import Outcome
from results.store.answers import why_in_a_line
from results.views.composites.sample_parts_text import part_facts
from results.views.long_text import LongText
from results.views.terminal import Fact

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from results.messages import Message
    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion
    from results.store.answers import RunAnswers

COLOURS = {Outcome.PASSED: "green", Outcome.FAILED: "red"}
_WHY_CHARS = 160
_NO_PROMPT = "not kept: by a version of bench-runner that did not keep prompts yet, or by another script"


Outcomes = Mapping[
    tuple[str, int], str
]  # by sample and index, with the value of a metric where that is the score


def print_index(completions: Sequence[Completion], was: Outcomes | None = None) -> None:
    """A line for each: sample, outcome, tokens, why. was: outcomes of another run, shown before."""
    text = LongText()
    _add_index(text, completions, was)
    text.show()


def _add_index(text: LongText, completions: Sequence[Completion], was: Outcomes | None) -> None:
    several = any(each.index for each in completions)
    header = ["task", *["#"] * several, *["was"] * (was is not None), "outcome", "tokens", "seconds", "why"]
    rows = [
        [
            each.task_id,
            *[str(each.index)] * several,
            *([words(was[each.task_id, each.index])] if was is not None else []),
            words(each.outcome),
            "" if each.completion_tokens is None else str(each.completion_tokens),
            "" if each.request_s is None else f"{each.request_s:.1f}",
            short(why_in_a_line(each)),
        ]
        for each in completions
    ]
    text.table(header, rows, styles=["dim" if each.passed else None for each in completions])


def add_answer(text: LongText, answers: RunAnswers, completion: Completion) -> None:
    """One completion, whole: what was asked, thought, said, executed, and what came of it."""
    several = len(answers.of(completion.task_id)) > 1
    number = f" #{completion.index}" if several else ""
    text.add(
        f"{plain(completion.task_id)}{number}  {words(completion.outcome)}",
        bold=True,
        fg=colour_of(completion),
    )
    text.facts(facts_of(completion))
    if (parts := answers.parts.get((completion.task_id, completion.index))) is not None:
        text.facts(Fact(name, said) for name, said in part_facts(parts))
    prompt = answers.prompt_of(completion)
    text.heading("Prompt", f"sha256 {prompt.sha256[:12]}" if prompt else "")
    add_prompt(text, prompt)
    thought = thought_of(completion)
    if thought:
        text.heading("Thought")
        text.quote(thought)
    if completion.transcript:
        text.heading("Conversation")
        _add_messages(text, completion.transcript)
    else:
        text.heading("Answer")
        answer = answer_of(completion)
        text.quote(answer or "(empty)", dim=not answer or None)
    if is_code(completion):
        text.heading("Executed code")
        check = completion.failed_check
        text.code(completion.completion, marked=check.line if check is not None else None)


def print_answers(
    answers: RunAnswers, completions: Sequence[Completion], *, was: Outcomes | None = None, with_index: bool
) -> None:
    """Each of them whole, in a pager where they don't fit. with_index: behind a line for each."""
    text = LongText()
    text.add(f"run {answers.run_id}", dim=True)
    if with_index:
        text.add()
        _add_index(text, completions, was)
    for number, completion in enumerate(completions):
        if number or with_index:
            text.add("\n")
        add_answer(text, answers, completion)
    text.show()


def facts_of(completion: Completion) -> Iterator[Fact]:
    """What came of it: the check that failed, tokens, seconds."""
    check = completion.failed_check
    if completion.detail and not (
        check is not None and check.relation and completion.detail == "AssertionError"
    ):
        yield Fact("why", completion.detail)
    if check is not None:
        yield Fact("check", check.check)
        yield Fact("input", check.given)
        yield Fact("call", check.call)
        yield Fact("returned", check.returned)
        yield Fact("got", check.got, "red")
        yield Fact("expected", expected_text(check.relation, check.expected), "green")
        if check.line is not None:
            yield Fact("raised in", f"line {check.line}: {check.code}", "red")
    if completion.expected is not None and not is_code(completion):
        yield Fact("read as", completion.completion or "nothing")
        yield Fact("in words", completion.read_in)
        yield Fact("expected", str(completion.expected), "green")
    yield Fact("metrics", metrics_text(completion))
    yield Fact("tokens", _tokens(completion))
    yield Fact("seconds", _seconds(completion))
    if completion.near_time_limit:
        yield Fact(
            "note", "near the limit of processor time: another machine may give another verdict", "yellow"
        )
    if completion.attempts > 1:
        yield Fact("attempts", str(completion.attempts))


def metrics_text(completion: Completion) -> str:
    """Its metrics, but not how a choice was made."""
    return ", ".join(
        f"{name} {value:.3g}"
        for name, value in completion.metrics.items()
        if name != "by_logprobs" and not name.startswith("p(")
    )


def expected_text(relation: str, expected: str) -> str:
    """`== 3` is expected to be 3; other relations are named."""
    return expected if relation == "==" else f"{relation} {expected}".strip()


def add_prompt(text: LongText, prompt: SentPrompt | None) -> None:
    """The messages, or the text, as they were sent."""
    if prompt is None:
        text.quote(_NO_PROMPT, dim=True)
        return
    if len(prompt.messages) > 1:
        _add_messages(text, prompt.messages)
    elif prompt.messages:
        text.quote(prompt.messages[0].content.rstrip("\n"))
    else:
        text.quote(prompt.text.rstrip("\n"))
    if prompt.tools:
        text.add("tools:", fg="cyan")
        text.quote("\n".join(map(_tool_text, prompt.tools)))


def _add_messages(text: LongText, messages: Sequence[Message]) -> None:
    """Who said what, and which tool was called with what."""
    for message in messages:
        text.add(f"{plain(message.role)}:", fg="cyan")
        if message.reasoning:
            text.quote(message.reasoning.strip("\n"), dim=True)
        said = message.content.strip("\n")
        if said or not message.tool_calls:
            text.quote(said or "(empty)", dim=not said or None)
        for call in message.tool_calls:
            text.quote(f"-> {call_text(call)}")


def _tool_text(tool: Mapping[str, Any]) -> str:
    """In a line: its name, and the names of what it takes."""
    function = tool.get("function", tool)
    takes = function.get("parameters", {}).get("properties", {})
    return f"{function.get('name')}({', '.join(takes)})"


def thought_of(completion: Completion) -> str:
    """What the model only thought, wherever it stands."""
    begun = completion.answer[: completion.thought_chars].strip()
    return "\n".join(filter(None, (completion.reasoning.strip(), begun)))


def answer_of(completion: Completion) -> str:
    """What it said, without its thought."""
    return completion.answer[completion.thought_chars :].strip("\n")


def is_code(completion: Completion) -> bool:
    """Whether what was judged is a program; else it is a number, a letter or nothing."""
    return "\n" in completion.completion or completion.execute_s is not None


def words(outcome: str) -> str:
    return str(outcome).replace("_", " ")


def colour_of(completion: Completion) -> str:
    return COLOURS.get(completion.outcome, "yellow")


def short(text: str) -> str:
    return text if len(text) <= _WHY_CHARS else f"{text[:_WHY_CHARS]}..."


def _tokens(completion: Completion) -> str:
    counts = ((completion.prompt_tokens, "in the prompt"), (completion.completion_tokens, "in the answer"))
    return ", ".join(f"{count} {where}" for count, where in counts if count is not None)


def _seconds(completion: Completion) -> str:
    seconds = ((completion.request_s, "to answer"), (completion.execute_s, "to judge"))
    return ", ".join(f"{value:.2f} {what}" for value, what in seconds if value is not None)
