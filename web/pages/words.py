"""What the words and columns of the pages mean: said once, shown below each table and on the page of help."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """title: the word as pages show it. text: what it means, in one to three sentences."""

    title: str
    text: str


TERMS: dict[str, Term] = {
    "run": Term(
        "run",
        "One model on one server configuration through one benchmark. Each run has a folder with its record, its "
        "answers, its telemetry and its logs.",
    ),
    "model": Term(
        "model", "What was asked: a GGUF file, a Hugging Face folder, or a provider's name for it."
    ),
    "quantization": Term(
        "quantisation",
        "How coarsely the model's weights are stored. Fewer bits need less memory and may cost accuracy.",
    ),
    "benchmark": Term(
        "benchmark", "A named set of problems with a way to judge answers, such as human_eval."
    ),
    "score": Term(
        "score",
        "Percent of the problems that the model solved. Answers that were lost count as not solved.",
    ),
    "interval": Term(
        "95 % interval",
        "Where the score may well lie if the problems were drawn again: the light bar around the mark. Overlapping "
        "intervals don't mean that two runs are equal; the paired test beside them decides.",
    ),
    "composite": Term(
        "composite",
        "One figure from 0 to 100 for code: a weighted mean of correctness, speed, quality and efficiency, with its "
        "95 % interval over the problems. If a part is unknown, so is the composite; a partial one stands below.",
    ),
    "part_correctness": Term(
        "correctness", "The share of the tests that pass, weighted where a problem gives its tests weights."
    ),
    "part_speed": Term(
        "speed score",
        "How fast answers came, against a baseline run or a target. Unknown without one, or if the run's speed is not "
        "comparable.",
    ),
    "part_quality": Term(
        "quality",
        "How clean the code of passing answers is: rules of ruff, complexity, maintainability and length, against the "
        "problem's own solution where there is one.",
    ),
    "part_efficiency": Term(
        "efficiency",
        "Processor time and peak memory of passing answers against the problem's own solution, measured side by side.",
    ),
    "scored": Term(
        "scored",
        "A letter for what a composite was computed by. Only composites with the same letter can be compared.",
    ),
    "weight": Term("weight", "The part's share of the composite."),
    "versus": Term(
        "against the best",
        "Each run is tested against the one with the highest score on the problems that both answered. Not "
        "distinguishable: the gap may be chance, whatever the order of the rows. Worse: it isn't.",
    ),
    "p": Term(
        "p",
        "How often a gap at least this large would come up by chance between equal runs. It is exact, and adjusted by "
        "Holm's method for all pairs in the table. Below 0.05 a difference counts as shown.",
    ),
    "samples": Term("problems", "How many of the benchmark's problems the run answered."),
    "tokens_per_s": Term(
        "tokens/s",
        "Tokens generated in a second, over all requests at once. A token is about four letters of text.",
    ),
    "memory": Term(
        "memory", "The most that was in use during the run, of the GPU if there was one, else of the host."
    ),
    "energy": Term(
        "J per solved problem",
        "Energy that the devices used, in joules, divided by the number of solved problems.",
    ),
    "cost": Term(
        "USD per solved problem", "What the provider charged, divided by the number of solved problems."
    ),
    "seconds": Term("seconds", "The run's whole time, from the first request to the last verdict."),
    "outcome": Term(
        "outcome",
        "Passed; failed (the tests said no); no answer (empty, or without code); cut (it hit the token limit); lost "
        "(the server or the harness failed, so nothing is known).",
    ),
    "status": Term(
        "status",
        "Succeeded: it has a result. Failed: it has none, and its page says why. Running: it goes on now. Interrupted: "
        "it was stopped, and can be resumed.",
    ),
    "build": Term("build", "The exact version of the server program that answered."),
    "change": Term(
        "change",
        "Each run is tested against the comparable run before it, on the same problems. Only a change that is shown "
        "(p below 0.05, adjusted for all of them) is called better or worse.",
    ),
    "comparable": Term(
        "comparable",
        "Runs are compared only if they answered the same problems with the same prompts and sampling, judged by the "
        "same rules. Others stand in separate tables.",
    ),
    "tag": Term("tag", "A property of a problem, such as its difficulty, by which scores are also given."),
    "flipped": Term(
        "flipped",
        "A problem that some runs solve and others don't: these problems decide which run is better.",
    ),
    "pareto": Term(
        "Pareto front",
        "The runs that no other run beats on one scale without losing on the other: the ones to choose among.",
    ),
    "telemetry": Term(
        "telemetry",
        "What the devices reported during the run, about twice a second: power, memory, utilisation, temperature.",
    ),
    "incident": Term("incident", "The server died or hung during the run and was started again."),
    "asked": Term("asked", "A setting as the run requested it."),
    "effective": Term(
        "effective", "The same setting as the server reported it once it ran. Only this one counts."
    ),
    "phase": Term(
        "phase",
        "Where the time went: loading the model, generating answers, executing code, stopping the server.",
    ),
    "label": Term("label", "A short name that somebody gave the run."),
    "job": Term("job", "One request to run benchmarks. It becomes a sweep of one or more runs."),
}
