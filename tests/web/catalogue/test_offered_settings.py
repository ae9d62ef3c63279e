"""A new setting is offered to requests only after somebody has said so here."""

from __future__ import annotations

import re

import pytest

from settings.table import TABLE
from web.catalogue.offered import OFFERED, Offer, offer_of, offered_choices

VALUES = """
    gpu_layers ctx_size parallel gpu_memory_utilization tensor_parallel_size spec_type spec_draft_n_max spec_draft_n_min
    spec_draft_p_min gpu_layers_draft limit shuffle n_samples temperature top_p top_k min_p repeat_penalty
    presence_penalty max_tokens seed prompt_style system_prompt reasoning_effort thinking_budget chat_template_kwargs
    use_guided_json as_published sandbox cpu_limit memory_limit max_cost max_tokens_total cache ready_timeout
    stall_timeout request_timeout rate_limit_patience script_timeout max_restarts release mbpp_set mbpp_tests start_date
    end_date difficulty sample sample_seed few_shot answer_by concurrencies depths prompt_tokens output_tokens requests
    kld_way kld_window kld_top lengths depth_percent kinds per_cell scoring weights speed_target_s
"""
OPERATORS = """
    script script_args parser metrics prompt server_binary server_command health_path base_url provider_params
    api_key_file lora model_draft speculative_config port server_args cache_size lm_eval perplexity_binary
    kld_cache_size shard shards speed_baseline scorer
    optimizer optimizer_params optimizer_prompt_params datasets max_calls reflector_provider reflector_model
    reflector_base_url reflector_max_tokens
"""
CLASSES = {
    Offer.VALUE: VALUES.split(),
    Offer.OPERATOR: OPERATORS.split(),
    Offer.DATA: ["dataset", "tasks", "kld_text"],
    Offer.MODEL: ["kld_reference"],
    Offer.FIELD: ["benchmark", "model", "server", "provider"],
}


def test_every_setting_is_classified():
    """The classes follow from the settings' facts by rules. A new row stands here once somebody has looked at it."""
    assert {name: offer_of(setting) for name, setting in TABLE.items()} == {
        name: offer for offer, names in CLASSES.items() for name in names
    }


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "../x", "x.py", "./x", "~/x", "-x", "http://127.0.0.1/", "hf:a/b/c.gguf"]
)
def test_no_offered_value_with_a_form_may_name_a_file_or_an_address(text):
    for name, setting in OFFERED.items():
        if (
            offer_of(setting) is Offer.VALUE
            and setting.kind == "text"
            and (setting.pattern or setting.choices)
        ):
            assert not re.fullmatch(setting.pattern or setting.also or "", text), name
            assert text not in offered_choices(setting), name


def test_free_texts_go_to_the_model_only():
    free = {
        name
        for name, setting in OFFERED.items()
        if offer_of(setting) is Offer.VALUE
        and (
            setting.kind == "json" or (setting.kind == "text" and not setting.pattern and not setting.choices)
        )
    }
    assert free == {"system_prompt", "chat_template_kwargs"}


def test_without_a_sandbox_nothing_is_executed():
    assert offered_choices(TABLE["sandbox"]) == ("auto", "bubblewrap", "landlock", "container")
