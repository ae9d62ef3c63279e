"""An OpenAI-compatible server without a model, which knows the answers of the GSM8K and MMLU fixtures.

    python tests/programs/reference_server.py [--logprobs SHAPE] [--wrong-every N] [--model-name NAME]

It prints {"port": P} when it listens. SHAPE is what it tells of the first token of a multiple-choice answer:

    list      as llama-server does: a list of tokens, in chat and in completions
    map       as vLLM and OpenAI do in completions: token -> log-probability
    null      nothing, like servers that do not know the option
    refused   status 400 for the option
    others    tokens that are no choices, as where a model begins with "The answer is"
    thinking  a thought: the template has opened it, the server puts it aside
    raw-thinking  a thought, and nobody puts it aside
    unlikely  all choices, and yet a word of prose is nearly sure
    mixed     `list` for every second question, `others` for the rest

With --needs-example, every answer is wrong unless a worked example stands before the question, with --needs-word WORD
unless the word does.
A generated answer is `The answer is (B).`, or the reference solution; with --wrong-every N each N-th one is wrong.
GET /posts says how many requests came, and how many of them asked for log-probabilities.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "evaluation" / "fixtures"
COUNT = {"posts": 0, "with_logprobs": 0}


def known() -> dict[str, str]:
    """Question -> what is right to say."""
    found = {}
    for name in ("mmlu_test.jsonl", "gsm8k.jsonl"):
        for line in (FIXTURES / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found[row["question"]] = "ABCD"[row["answer"]] if "choices" in row else row["answer"]
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model-name", default="m")
    parser.add_argument("--logprobs", default="list")
    parser.add_argument("--needs-example", action="store_true")
    parser.add_argument("--needs-word", default="")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--wrong-every", type=int, default=0)
    return parser.parse_args()


OPTIONS = parse()
KNOWN = known()
QUESTIONS = list(KNOWN)


def first_token(letter: str, shape: str, *, chat: bool) -> object:
    """In the shape that is asked for. The right letter is likeliest only when its two variants are added."""
    space = "" if chat else " "
    other = "ABCD"["ABCD".index(letter) - 1]
    tokens = {f"{space}{other}": 0.35, letter: 0.3, f" {letter}": 0.3, "The": 0.05}
    if shape in {"others", "raw-thinking", "thinking"}:
        tokens = {"Okay" if "thinking" in shape else "The": 0.9, "**": 0.1}
    elif shape == "unlikely":
        tokens = {"Okay": 0.95, "A": 0.02, "B": 0.01, "C": 0.01, "D": 0.01}
    logprobs = {text: math.log(p) for text, p in tokens.items()}
    if shape == "map" and not chat:
        return {"tokens": [letter], "token_logprobs": [-0.5], "top_logprobs": [logprobs], "text_offset": [0]}
    top = [{"token": text, "logprob": p, "bytes": list(text.encode())} for text, p in logprobs.items()]
    return {"content": [{**top[0], "top_logprobs": top}]}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        bodies = {
            "/health": {"status": "ok"},
            "/v1/models": {"data": [{"id": OPTIONS.model_name}]},
            "/posts": COUNT,
        }
        self.reply(200 if self.path in bodies else 404, bodies.get(self.path, {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = "messages" in body
        text = body["messages"][-1]["content"] if chat else body["prompt"]
        place, question = max((text.rfind(question), question) for question in QUESTIONS)
        right = KNOWN[question] if place >= 0 else "4"
        asks = bool(body.get("logprobs"))
        COUNT["posts"] += 1
        COUNT["with_logprobs"] += asks
        shape = OPTIONS.logprobs
        if shape == "mixed":
            shape = ("list", "others")[QUESTIONS.index(question) % 2]
        if asks and shape == "refused":
            self.reply(400, {"error": {"message": "logprobs is not supported"}})
            return
        wrong = OPTIONS.wrong_every and QUESTIONS.index(question) % OPTIONS.wrong_every == 0
        shown = len(body["messages"]) > 2 if chat else text.count("answer is") > 1
        wrong = wrong or (OPTIONS.needs_example and not shown)
        wrong = wrong or OPTIONS.needs_word not in json.dumps(body)
        time.sleep(OPTIONS.delay)
        if right in {"A", "B", "C", "D"}:
            letter = "ABCD"["ABCD".index(right) - 1] if wrong else right
            said = f"The answer is ({letter})."
        else:
            letter, said = "A", "I think it is 0.5" if wrong else right
        choice = {"index": 0, "finish_reason": "length" if body["max_tokens"] == 1 else "stop"}
        message = {"role": "assistant", "content": said}
        if asks:
            told = shape != "null"
            choice["logprobs"] = first_token(letter, shape, chat=chat) if told else None
            message["content"] = said = "The" if shape == "others" else letter
        if "thinking" in shape:
            thought = "Okay, first (A), then (C)."
            message = {"content": "" if asks else said, "reasoning_content": thought}
            if shape == "raw-thinking":
                message = {"content": "<think>" if asks else f"<think>{thought}</think>\n{said}"}
        choice |= {"message": message} if chat else {"text": said}
        usage = {"prompt_tokens": len(text) // 4, "completion_tokens": 1 if asks else len(said) // 4}
        self.reply(200, {"choices": [choice], "usage": usage})

    def reply(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with Server((OPTIONS.host, OPTIONS.port), Handler) as server:
        print(json.dumps({"port": server.server_address[1]}), flush=True)
        server.serve_forever()
