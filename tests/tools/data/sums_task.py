"""A task for Inspect: the sums of sums.jsonl, each answer searched for the right number."""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.scorer import includes
from inspect_ai.solver import generate

DATA = Path(__file__).parent / "sums.jsonl"


def sample(record):
    question = f"What is {record['a']} + {record['b']}? Answer with the number alone."
    return Sample(input=question, target=str(record["sum"]))


@task
def sums():
    return Task(dataset=json_dataset(str(DATA), sample_fields=sample), solver=generate(), scorer=includes())
