"""HumanEval as inspect-evals has it, on a file instead of the Hub's data set: the reference of a benchmark.

Runs in inspect-ai's own environment: `inspect eval inspect_human_eval.py -T data=HumanEval.jsonl`. Prompt, scorer and
sandbox call are those of inspect_evals/humaneval/humaneval.py (0.26.0), except that the fenced answer is taken as it
stands and the sandbox is the local one, which is none: docker would take longer.
"""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.scorer import CORRECT, INCORRECT, Score, accuracy, scorer, stderr
from inspect_ai.solver import generate
from inspect_ai.util import ExecResult, sandbox

INSTRUCTION = """
Read the following function signature and docstring, and fully implement
the function described. Your response should only contain the code for
this function.\n
"""


def sample(record):
    return Sample(
        id=record["task_id"],
        input=INSTRUCTION + record["prompt"],
        target=record["canonical_solution"],
        metadata={name: record[name] for name in ("prompt", "test", "entry_point")},
    )


def code_of(answer):
    return answer.split("```python\n", 1)[-1].split("```", 1)[0]


@scorer(metrics=[accuracy(), stderr()])
def verify():
    async def score(state, target):
        answer = code_of(state.output.completion)
        facts = state.metadata
        code = f"{facts['prompt']}{answer}\n{facts['test']}\ncheck({facts['entry_point']})"
        try:
            result = await sandbox().exec(cmd=["python", "-c", code], timeout=30)
        except TimeoutError:
            result = ExecResult(False, 1, "", "Verification timed out.")
        return Score(value=CORRECT if result.success else INCORRECT, answer=answer, explanation=result.stderr)

    return score


@task
def human_eval(data):
    return Task(
        dataset=json_dataset(data, sample_fields=sample), solver=generate(), scorer=verify(), sandbox="local"
    )
