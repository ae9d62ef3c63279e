# ruff: noqa: E501 - tables of cases
"""How an answer ended is understood in the words of every server."""

from __future__ import annotations

import pytest

from evaluation.answers.endings import Ending, ending_of

NAMES = {
    Ending.OWN: "stop eos eos_token stop_sequence end_turn STOP COMPLETE eosFound stopStringFound tool_calls word null done "
    "stop_token function_call repetition choice unspecified OTHER",
    Ending.LIMIT: "length max_tokens MAX_TOKENS limit max_output_tokens maxPredictedTokensReached LENGTH incomplete "
    "max_length token_limit max-tokens n_predict num_predict",
    Ending.CONTEXT: "contextLengthReached model_length model_context_window_exceeded context_length_exceeded ERROR_LIMIT kv_cache_full ctx_full",
    Ending.FILTER: "content_filter SAFETY RECITATION PROHIBITED_CONTENT BLOCKLIST SPII refusal sensitive "
    "guardrail_intervened ERROR_TOXIC content-filter contentFilter IMAGE_SAFETY",
    Ending.BROKEN_OFF: "abort aborted error ERROR cancelled canceled insufficient_system_resource network_error timeout "
    "time_limit timed_out failed modelUnloaded userStopped unload load rate_limit_exceeded server_error interrupted "
    "resource-exhausted FAILURE evicted oom out_of_memory engine_dead rejected no_capacity deadline_exceeded "
    "shutting_down restart terminated",
}


@pytest.mark.parametrize(
    ("ending", "name"), [(ending, name) for ending, names in NAMES.items() for name in names.split()]
)
def test_the_name_of_an_ending_is_understood(ending, name):
    assert ending_of(name) is ending


@pytest.mark.parametrize("name", ["", "\0", "x" * 1_000_000, "ﬁnished", "_ _"])
def test_a_name_that_nobody_knows_is_the_answers_own_end(name):
    assert ending_of(name) is Ending.OWN
