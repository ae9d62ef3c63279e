"""A GGUF file tells its facts before anything starts, and a damaged one is told as such, at once."""

from __future__ import annotations

import contextlib
import os
import struct
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results.errors import UsageError
from servers import gguf_kinds
from servers.gguf import read_header
from tests.servers.gguf_file import ARRAY, BOOL, F32, LLAMA, STRING, U32, U64, gguf

SMALL = gguf()


@pytest.fixture
def file(tmp_path):
    """A function: bytes -> the path of a file that holds them."""

    def write(data: bytes):
        path = tmp_path / "model.gguf"
        path.write_bytes(data)
        return path

    return write


def test_the_real_demo_model_tells_its_facts(demo_model):
    header = read_header(demo_model)
    assert (header.architecture, header.quantization) == ("llama", "Q4_1")
    assert header.parameter_count == 134_515_008
    assert (header.context_length, header.layer_count, header.embedding_length) == (8192, 30, 576)
    assert (header.head_count, header.head_count_kv) == (9, 3)
    assert "<|im_start|>" in header.chat_template
    assert (header.split_no, header.split_count, header.not_a_model) == (0, 0, None)


def test_a_small_file_tells_its_facts(file):
    header = read_header(file(SMALL))
    assert header.quantization == "Q4_0"
    assert header.parameter_count == 256
    assert header.head_count_kv == 2  # of layers that differ the largest
    assert header.chat_template == "{{ messages }}"


def test_the_real_model_without_its_last_byte_is_truncated(demo_model, file):
    with demo_model.open("rb") as model:
        cut = file(model.read(10_000_000))
    os.truncate(cut, demo_model.stat().st_size - 1)
    with pytest.raises(UsageError, match="is truncated: 1 of 98,362,432 bytes are missing"):
        read_header(cut)


@pytest.mark.parametrize("length", [4, 7, 8, 15, 23, 24, 40, 1000, 1_000_000])
def test_the_real_model_cut_anywhere_in_its_header_is_told(demo_model, file, length):
    with demo_model.open("rb") as model:
        start = model.read(length)
    with pytest.raises(UsageError, match="truncated or damaged GGUF file") as caught:
        read_header(file(start))
    assert "again" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"GG", "is not a GGUF file$"),
        (b"<html>not found</html>", "is not a GGUF file, it is a web page$"),
        (b"PK\x03\x04" + bytes(60), "it is a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
        (gguf(version=1), "of version 1, which llama.cpp can't read"),
        (gguf(version=9), "of version 9, which llama.cpp can't read"),
        (b"GGUF" + struct.pack(">IQQ", 3, 2, 5), "of a big-endian machine"),
    ],
)
def test_what_is_no_readable_gguf_file_is_told(file, data, words):
    with pytest.raises(UsageError, match=words) as caught:
        read_header(file(data))
    assert caught.value.hint


def test_what_can_not_be_opened_is_told(tmp_path):
    with pytest.raises(UsageError, match="can't be read: Is a directory"):
        read_header(tmp_path)
    with pytest.raises(UsageError, match="can't be read: No such file"):
        read_header(tmp_path / "none.gguf")


def test_a_small_file_cut_anywhere_is_told(file):
    for length in range(0, len(SMALL), 3):
        with pytest.raises(UsageError):
            read_header(file(SMALL[:length]))


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(4, len(SMALL) - 1), st.integers(0, 255)), max_size=12),
    inserted=st.binary(max_size=40),
    at=st.integers(8, len(SMALL)),
    cut=st.integers(0, len(SMALL)),
)
def test_any_damage_is_bad_usage_and_never_a_crash_or_a_hang(file, changes, inserted, at, cut):
    data = bytearray(SMALL)
    for place, byte in changes:
        data[place] = byte
    data[at : at + len(inserted)] = inserted
    with contextlib.suppress(UsageError):
        read_header(file(bytes(data[: len(data) - cut])))


HUGE = 2**64 - 1


@pytest.mark.parametrize(
    "data",
    [
        b"GGUF" + struct.pack("<IQQ", 3, HUGE, 0) + bytes(1 << 22),
        b"GGUF" + struct.pack("<IQQ", 3, 0, HUGE) + bytes(1 << 22),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, HUGE),
        b"GGUF" + struct.pack("<IQQQ", 3, 1, 0, 0) + b"\xff" * (1 << 22),
        b"GGUF" + struct.pack("<IQQQIIQ", 3, 0, 1, 0, ARRAY, STRING, HUGE) + b"\xff" * 80,
        b"GGUF" + struct.pack("<IQQQIIQ", 3, 0, 1, 0, ARRAY, 0, HUGE),
        b"GGUF" + struct.pack("<IQQQI", 3, 0, 1, 0, ARRAY) + struct.pack("<IQ", ARRAY, 1) * 5000,
    ],
    ids=["tensors", "pairs", "key", "dimensions", "strings", "array", "arrays in arrays"],
)
def test_a_damaged_length_costs_no_time_and_no_memory(file, data):
    began = time.monotonic()
    with pytest.raises(UsageError, match="truncated or damaged"):
        read_header(file(data))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("wrong", [(STRING, "x"), (F32, float("nan")), (ARRAY, (U32, [1])), (U64, 0)])
def test_a_value_of_the_wrong_type_is_as_none(file, wrong):
    """The file's size is what is checked here; what else llama.cpp makes of it, it tells itself."""
    keys = (
        "general.alignment",
        "general.file_type",
        "general.name",
        "llama.block_count",
        "split.no",
        "split.count",
    )
    header = read_header(file(gguf(dict.fromkeys(keys, wrong), tensors=0)))
    assert header.split_no == 0
    assert header.split_count == 0


ARCHITECTURE, TYPE = "general.architecture", "general.type"
SAID_TYPE = {key: value for key, value in LLAMA.items() if not key.startswith("tokenizer.")}


def named(name):
    return {ARCHITECTURE: (STRING, name)}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (gguf({TYPE: (STRING, "adapter")}), gguf_kinds.ADAPTER),
        (gguf({"adapter.type": (STRING, "lora")}, base=SAID_TYPE), gguf_kinds.ADAPTER),
        (gguf(base=SAID_TYPE, names=["blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b"]), gguf_kinds.ADAPTER),
        (gguf({TYPE: (STRING, "imatrix")}, base={}), gguf_kinds.IMATRIX),
        (gguf({"imatrix.chunk_count": (U32, 9)}, base={}), gguf_kinds.IMATRIX),
        (gguf(base={}, names=["blk.0.ffn_up.weight.in_sum2", "blk.0.ffn_up.weight.counts"]), gguf_kinds.IMATRIX),
        (gguf(named("controlvector"), base={}), gguf_kinds.CONTROL_VECTOR),
        (gguf(base={}, names=["direction.1", "direction.2"]), gguf_kinds.CONTROL_VECTOR),
        (gguf(named("clip")), gguf_kinds.MMPROJ),
        (gguf({TYPE: (STRING, "mmproj")}), gguf_kinds.MMPROJ),
        (gguf({"clip.has_vision_encoder": (BOOL, True)}, base={}), gguf_kinds.MMPROJ),
        (gguf(base={}, names=["v.patch_embd.weight", "mm.0.weight"]), gguf_kinds.MMPROJ),
        (gguf(tensors=0), gguf_kinds.VOCABULARY),
        (gguf({TYPE: (STRING, "model"), **named("bert")}, tensors=0), gguf_kinds.VOCABULARY),
        (gguf(named("eagle3")), gguf_kinds.DRAFT),
        (gguf(names=["token_embd.weight", "blk.61.nextn.eh_proj.weight", "output.weight"]), gguf_kinds.DRAFT),
        (gguf({**named("bert"), "bert.attention.causal": (BOOL, False)}), gguf_kinds.ENCODER),
        (gguf(named("gemma-embedding")), gguf_kinds.ENCODER),
        (gguf(named("wavtokenizer-dec")), gguf_kinds.SPEECH),
        (gguf(named("flux"), base={}, names=["double_blocks.0.img_attn.qkv.weight"]), gguf_kinds.OTHER),
    ],
)  # fmt: skip
def test_a_file_that_is_no_language_model_is_known_for_what_it_is(file, data, kind):
    """By its type, and where it doesn't say one by its architecture, keys and tensors."""
    assert read_header(file(data)).not_a_model is kind


@pytest.mark.parametrize(
    "data",
    [
        gguf({TYPE: (STRING, "model")}),
        gguf({TYPE: (STRING, "something of tomorrow")}),
        gguf(named("an architecture of tomorrow")),
        gguf({**named("llada"), "llada.attention.causal": (BOOL, False)}),
        gguf({"quantize.imatrix.file": (STRING, "i.dat")}),
        gguf(
            {"split.no": (U32, 0), "split.count": (U32, 3)}, tensors=0
        ),  # the first part may have metadata only
        gguf({"split.no": (U32, 0), "split.count": (U32, 3)}, names=["blk.7.attn_q.weight"]),
        gguf({"split.no": (U32, 2), "split.count": (U32, 3)}, base={}, names=["blk.9.attn_q.weight"]),
        gguf(names=["token_embd.weight", "blk.0.attn_q.weight", "v.patch_embd.weight"]),
    ],
)
def test_a_language_model_is_one_whatever_else_is_in_it(file, data):
    assert read_header(file(data)).not_a_model is None


def test_a_later_shard_is_known(file):
    shard = read_header(file(gguf({"split.no": (U32, 1), "split.count": (U32, 3)})))
    assert (shard.split_no, shard.split_count) == (1, 3)


def test_a_guessed_or_unknown_file_type(file):
    assert read_header(file(gguf({"general.file_type": (U32, 15 | 1024)}))).quantization == "Q4_K_M"
    assert read_header(file(gguf({"general.file_type": (U32, 999)}))).quantization is None
