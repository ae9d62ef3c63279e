"""The parsers, by the names that `--parser` takes."""

# name -> the module that has it as PARSER
PARSERS = {
    "summary": "parsers.summary",
    "speed": "parsers.speed",
    "kld": "parsers.kld",
    "optimise": "parsers.optimising.search",
    "human_eval": "parsers.summary",  # its name in records of earlier versions
    "human_eval_cli": "parsers.human_eval_cli",
    "json": "parsers.json_score",
    "evalplus": "parsers.evalplus",
    "livecodebench": "parsers.livecodebench",
    "lm_eval": "parsers.lm_eval",
    "inspect": "parsers.inspect_log",
    "bigcode": "parsers.bigcode",
    "llama_bench": "parsers.llama_bench",
    "vllm_bench": "parsers.vllm_bench",
}
# Of tools that may score by the log-probabilities of prompts, which not every server gives.
BY_PROMPT_LOGPROBS = frozenset({"lm_eval"})
