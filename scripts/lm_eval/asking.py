"""Let lm-eval ask a server for a task and judge the answers: its settings as a file, its progress as events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

from evaluation.models.sampling import Dialect
from results.durable import replace_file
from results.errors import SAME_COMMAND, ScriptError
from results.plain_text import tail

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.models.connection import ConnectionInfo
    from scripts.arguments import Arguments
    from scripts.events import Events
    from scripts.lm_eval.installed import Installed

SETTINGS_NAME = "lm_eval.json"
_STOP_GRACE_S = 10.0
_SAID_BYTES = 8 << 10
_CONCURRENCY = 16  # of a server that does not say how many slots it has
# By whether it is a chat, and whether the limit of tokens is called max_completion_tokens.
_CLIENTS = {
    (True, False): "local-chat-completions",
    (True, True): "openai-chat-completions",
    (False, False): "local-completions",
    (False, True): "local-completions",
}
_PROGRESS = re.compile(rb"Requesting API:[^\r\n]*?\| *(\d+)/(\d+) \[")


def settings_file(
    arguments: Arguments, connection: ConnectionInfo, task: str, *, chat: bool
) -> dict[str, Any]:
    """What lm-eval is told, as it reads it with --config. The key is not in it."""
    sampling = arguments.sampling
    path = "chat/completions" if chat else "completions"
    asked = sampling.parameters(Dialect.LLAMA_CPP)  # names that differ belong to settings that are refused
    asked["max_gen_toks"] = asked.pop("max_tokens")
    model: dict[str, Any] = {
        "model": arguments.model,
        "base_url": f"{connection.base_url}{connection.api_path}/{path}",
        "num_concurrent": arguments.concurrency or _CONCURRENCY,
        "max_retries": arguments.max_retries + 1,  # it counts tries
        "timeout": max(1, round(arguments.request_timeout)),
        "seed": sampling.seed or 0,
    }
    if not chat:
        model |= {"tokenizer_backend": None, "tokenized_requests": False}
    output = arguments.output.absolute()
    return {
        "model": _CLIENTS[chat, connection.facts.limit_field == "max_completion_tokens"],
        "model_args": model,
        "tasks": [task],
        "include_path": str(output),
        "gen_kwargs": asked,
        "apply_chat_template": chat,
        "output_path": str(output),
        "log_samples": True,
        "use_cache": str(output / "lm_eval_answers"),  # so that a resumed run asks for what is missing
        **({"limit": arguments.limit} if arguments.limit is not None else {}),
        **({"system_instruction": sampling.system_prompt} if sampling.system_prompt else {}),
    }


async def ask(
    installed: Installed, settings: dict[str, Any], folder: Path, events: Events, connection: ConnectionInfo
) -> None:
    """Run lm-eval to its end, with the connection's key. Raises ScriptError with its last words where it fails."""
    key = {"OPENAI_API_KEY": connection.api_key} if connection.api_key else {}
    path = folder / SETTINGS_NAME
    replace_file(path, (json.dumps(settings, indent=2) + "\n").encode())
    events.emit("phase", phase="generate")
    process = await asyncio.create_subprocess_exec(
        installed.program, "run", "--config", path,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **key, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    if process.stdout is None:
        raise RuntimeError("it was started with a pipe")
    said, known = b"", (0, 0)
    try:
        while part := await process.stdout.read(1 << 16):
            said = (said + part)[-_SAID_BYTES:]
            _pass_on(part)
            if found := _PROGRESS.findall(said):
                done, total = map(int, found[-1])
                if (done, total) != known:
                    known = (done, total)
                    events.progress({"done": done, "total": total})
        code = await process.wait()
    finally:
        await _end(process)
    if code != 0:
        lines = [line for line in tail(said.decode("utf-8", "replace")).splitlines() if line.strip()]
        raise ScriptError(
            f"lm-eval ended with exit code {code}: {lines[-1].strip() if lines else 'it said nothing'}",
            hint=f"what it said is in the run's log; fix that and {SAME_COMMAND}",
            log_tail="\n".join(lines[-20:]),
        )


def _pass_on(part: bytes) -> None:
    """To stderr: stdout is for events."""
    with contextlib.suppress(OSError):
        os.write(2, part)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_GRACE_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
