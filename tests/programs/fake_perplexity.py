"""A llama-perplexity for faults: writes log-probabilities in the real one's format, or fails as its model file says.

The model file is JSON, or a GGUF file with it behind the marker: vocab (its size), seed, noise (standard deviation of
what is added to the logits); tokens_seed (another tokeniser); chunks (how long the text is); at (the chunk before which
the fault happens; 0: before the header) and fault ("die", "exit", "hang", "short", "more"); says (a line of its log,
printed at the start); slow_s (each chunk).
"""

import json
import os
import signal
import struct
import sys
import time
from pathlib import Path

if "--version" in sys.argv:
    print("version: 1 (fake)")
    sys.exit()
if "--help" in sys.argv:
    print("-m, --model FILE\n-t, --threads N\n-ctk, --cache-type-k TYPE\n-ngl, --gpu-layers N\n--mlock")
    sys.exit()

import numpy as np

MARKER = b"fake_perplexity:"


def encoded(logits: np.ndarray) -> bytes:
    """As in llama.cpp's tools/perplexity/perplexity.cpp, `log_softmax` with uint16_t."""
    rows = []
    for row in logits.astype(np.float32):
        largest = row.max()
        least = max(row.min(), largest - np.float32(16))
        log_sum = np.float32(np.log(np.exp(row - largest).sum(dtype=np.float64)))
        scale = np.float32((largest - least) / np.float32(65535))
        numbers = np.where(row > least, np.rint((row - least) / scale), 0).astype("<u2")
        padded = np.zeros(2 * ((len(row) + 1) // 2), "<u2")
        padded[: len(row)] = numbers
        rows.append(struct.pack("<2f", scale, least - largest - log_sum) + padded.tobytes())
    return b"".join(rows)


def logits_of(model: dict, window: int, chunk: int) -> np.ndarray:
    """The model's logits at the scored positions of a chunk. Models of one seed differ by their noise only."""
    count = window - 1 - window // 2
    base = np.random.default_rng([model["seed"], chunk]).normal(0, 3, (count, model["vocab"]))
    noise = np.random.default_rng([model["seed"] + 1, chunk]).normal(0, 1, base.shape)
    return base + model.get("noise", 0.0) * noise


def tokens_of(model: dict, window: int, chunks: int) -> np.ndarray:
    random = np.random.default_rng(model.get("tokens_seed", 7))
    return random.integers(0, min(100, model["vocab"]), (chunks, window)).astype("<i4")


def main() -> None:
    option = {name: sys.argv[sys.argv.index(name) + 1] for name in ("-m", "-f", "-c", "--kl-divergence-base")}
    model = json.loads(Path(option["-m"]).read_bytes().rpartition(MARKER)[2])
    window, chunks = int(option["-c"]), model.get("chunks", 3)
    if "--chunks" in sys.argv:
        chunks = min(chunks, int(sys.argv[sys.argv.index("--chunks") + 1]))
    print(model.get("says", "0.00.1 I loading"), file=sys.stderr, flush=True)
    with open(option["--kl-divergence-base"], "wb", buffering=0) as out:  # noqa: PTH123 - as ofstream does
        fail(model, out, 0)
        out.write(b"_logits_" + struct.pack("<3i", window, model["vocab"], chunks))
        out.write(tokens_of(model, window, chunks).tobytes())
        for chunk in range(chunks):
            fail(model, out, chunk + 1)
            time.sleep(model.get("slow_s", 0))
            data = memoryview(encoded(logits_of(model, window, chunk)))
            while data:
                data = data[out.write(data) :]
        if model.get("fault") == "more":
            out.write(b"more")
    print(f"Final estimate: PPL = {model.get('ppl', 12.5):.4f} +/- 0.5", file=sys.stderr)


def fail(model: dict, out, at: int) -> None:
    if model.get("fault") is None or model.get("at", 0) != at:
        return
    match model["fault"]:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            sys.exit(1)
        case "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "short":  # as llama.cpp after a failed decode: half a chunk, and exit code 0
            out.write(b"x" * 100)
            sys.exit(0)


if __name__ == "__main__":
    main()
