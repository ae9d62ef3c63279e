"""How a run is split by its samples, and which runs are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.errors import UsageError
from settings.asked import Asked
from settings.samples.shards import Shard, all_shards, require_shardable


@given(st.lists(st.integers(), max_size=40), st.integers(1, 9))
def test_shards_have_every_sample_once_in_order_and_equal_work(samples, count):
    parts = [list(shard.of(samples)) for shard in all_shards(count)]
    assert [part[place] for place in range(len(parts[0])) for part in parts if place < len(part)] == samples
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert [Shard.read(shard.written) for shard in all_shards(count)] == list(all_shards(count))


@pytest.mark.parametrize("text", ["", "0/3", "4/3", "1", "1/0", "a/b", "1/3/5", "-1/3", "²/3"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match="no shard"):
        Shard.read(text)


@pytest.mark.parametrize(
    ("benchmark", "parser", "given", "why"),
    [
        ("speed", "speed", {}, "its requests load one server together"),
        ("kld", "kld", {}, "from its beginning to its end"),
        ("ifeval", "lm_eval", {}, "lm-eval chooses and judges"),
        ("human_eval", "human_eval_cli", {"script": "/x.py"}, "chooses its samples itself"),
        ("human_eval", "/own.py", {}, "only our own parser"),
        ("human_eval", "summary", {"max_cost": 1.0}, "--max-cost"),
        ("human_eval", "summary", {"max_tokens_total": 9}, "--max-tokens-total"),
        ("human_eval", "summary", {"limit": 3}, "3 samples can't be split into 4"),
    ],
)
def test_what_can_not_be_split_is_refused_with_the_reason(benchmark, parser, given, why):
    with pytest.raises(UsageError, match="--shards 4: ") as refused:
        require_shardable(Asked({"shards": 4, **given}), benchmark=benchmark, parser=parser)
    assert why in refused.value.message
    assert refused.value.hint
    require_shardable(Asked(given), benchmark=benchmark, parser=parser)
    require_shardable(Asked({"shards": 1, **given}), benchmark=benchmark, parser=parser)
