"""Ask a running server how it predicts a text: its own slots, KV cache, attention and build at work."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from evaluation.likelihood.forced_tokens import (
    NEWER_LLAMA,
    UNREADABLE,
    forced_by_llama,
    read_ids,
    read_vllm,
    tokenize_request,
    vllm_request,
)
from evaluation.models.http_session import no_answer, open_session
from evaluation.models.replies import NotAnAnswer, as_mapping, error_message, read_body, read_json
from evaluation.models.server_kind import owner_of
from evaluation.models.server_watch import ServerWatch
from results.errors import ServerError, ServerExited, UsageError
from results.json_text import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from evaluation.benchmarks.kld.predictions import Prediction
    from evaluation.benchmarks.kld.windows import Window
    from evaluation.models.connection import ConnectionInfo

_MAX_TRIES = 3  # of one request: perhaps it is this very one that kills the server
_ANSWER_BYTES = 24 << 20  # as long as an answer is made at most
_TOKEN_BYTES = 80  # of an answer, for each likely token
_PAUSE_S = 0.5
_BUSY = {429, 503}


class PredictingServer:
    """A server that says how it predicts. Use as an async context manager, and `look` first.

    kind: "llama.cpp" or "vllm". build: its version, as it says it. quantization: of its model, likewise; "" if it says
    nothing. slots: requests at once; None if it doesn't say.
    """

    def __init__(
        self, info: ConnectionInfo, *, top: int, server_wait_s: float, on_outage: Callable[[bool], None]
    ) -> None:
        self.kind = self.build = self.quantization = ""
        self.slots: int | None = None
        self._room: int | None = None
        self._unwritable: set[int] = set()
        self._plain = 0
        self._info = info
        self._top = top
        self._server_wait_s = server_wait_s
        self._on_outage = on_outage
        self._session: aiohttp.ClientSession
        self._watch: ServerWatch

    async def __aenter__(self) -> Self:
        self._session = open_session(self._info, keep_alive=False)
        self._watch = ServerWatch(
            self._session, self._info.base_url, wait_s=self._server_wait_s, on_outage=self._on_outage
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def look(self, window: int) -> None:
        """Find out what serves the model, and whether a window fits. Raises ServerError, UsageError."""
        owner = owner_of(await self._get("/v1/models"))
        if owner == "vllm":
            self.kind = "vllm"
            self.build = _text(as_mapping(read_json(await self._get("/version"))).get("version"))
            return
        if owner != "llamacpp":
            raise ServerError(
                f"the server at {self._info.base_url} is neither llama-server nor vLLM",
                hint="kld asks for many log-probabilities of given tokens, which other servers don't give",
            )
        self.kind = "llama.cpp"
        props = as_mapping(read_json(await self._get("/props")))
        self.build = _text(props.get("build_info"))
        self.quantization = _text(props.get("model_ftype"))
        slots = whole_number(props.get("total_slots"))
        self.slots = slots if slots and slots < 4096 else None
        room = whole_number(as_mapping(props.get("default_generation_settings")).get("n_ctx"))
        if room and room <= window:
            raise UsageError(
                f"a window of {window} tokens and one more do not fit the context of a slot, {room} tokens",
                hint="raise --ctx-size, or ask for a smaller --kld-window",
                settings=("kld_window", "ctx_size"),
            )

    async def tokenize(self, text: str) -> tuple[list[int], int | None]:
        """The ids of a text, and the id that the model wants before it, if any. Special tokens in it are read as text.

        Raises ServerError.
        """
        whole = await self._tokens(text, special=True)
        one, with_begin = await self._tokens("a", special=False), await self._tokens("a", special=True)
        self._plain = one[-1]
        begin = with_begin[0] if len(with_begin) > len(one) and with_begin[0] != one[0] else None
        return whole, begin

    async def predict(self, window: Window) -> list[Prediction]:
        """How it predicts the window's measured tokens. Raises ServerError."""
        if self.kind == "vllm":
            return await self._predicted_by_vllm(window)
        found: list[Prediction] = []
        piece = max(1, _ANSWER_BYTES // (_TOKEN_BYTES * self._top))
        for first in range(window.first, len(window.tokens), piece):
            found += await self._forced(window.tokens[:first], window.tokens[first : first + piece])
        return found

    async def _forced(self, before: Sequence[int], forced: Sequence[int]) -> list[Prediction]:
        try:
            found = await forced_by_llama(
                self._post, before, forced, unwritable=self._unwritable, plain=self._plain, top=self._top,
                cache_prompt=False,
            )  # fmt: skip
        except UNREADABLE as error:
            raise self._not_predictions(str(error)) from error
        return [each.likeliest for each in found]

    async def _predicted_by_vllm(self, window: Window) -> list[Prediction]:
        body = vllm_request(self._info.model, [window.tokens], top=self._top)
        answer = await self._post("/v1/completions", body)
        try:
            found = read_vllm(answer, window.tokens, window.first, top=self._top)
        except UNREADABLE as error:
            raise self._not_predictions(str(error)) from error
        return [each.likeliest for each in found]

    def _not_predictions(self, why: str) -> ServerError:
        return ServerError(
            f"the server at {self._info.base_url} does not give log-probabilities of given tokens: {why}",
            hint="use a newer vLLM" if self.kind == "vllm" else NEWER_LLAMA,
        )

    async def _tokens(self, text: str, *, special: bool) -> list[int]:
        body = tokenize_request(self.kind, self._info.model, text, begin=special, special=False)
        answer = await self._post("/tokenize", body)
        try:
            ids, unwritable = read_ids(answer)
        except ValueError as error:
            raise ServerError(
                f"the server at {self._info.base_url} gives no ids of a text's tokens",
                hint="kld needs its /tokenize",
            ) from error
        self._unwritable |= unwritable
        return ids

    async def _get(self, path: str) -> bytes:
        try:
            async with self._session.get(self._info.base_url + path) as response:
                raw = await read_body(response)
        except (aiohttp.ClientError, TimeoutError, OSError, NotAnAnswer) as error:
            raise ServerError(
                f"{self._info.base_url}{path}: {no_answer(error, self._session)}",
                hint="check that the server is up, and run the same command again",
            ) from error
        if response.status != 200:
            raise self._refused(path, response.status, raw)
        return raw

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer. A server that died is waited for, and asked again."""
        why = ""
        for _ in range(max(_MAX_TRIES, self._info.max_retries + 1)):
            outages = self._watch.outages
            try:
                async with self._session.post(self._info.base_url + path, json=body) as response:
                    raw = await read_body(response)
                if response.status == 200:
                    return read_json(raw)
                if response.status < 500 and response.status not in _BUSY:
                    raise self._refused(path, response.status, raw)
                why = f"{response.status}, {error_message(raw)}"
            except NotAnAnswer as error:
                raise self._not_predictions(str(error)) from error
            except ValueError as error:
                raise self._not_predictions("no JSON") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why = no_answer(error, self._session)
            if not await self._watch.was_down(outages):
                await asyncio.sleep(_PAUSE_S)
        raise ServerExited(
            f"the server gave no answer to {path}, asked several times: {why}", hint="see its log"
        )

    def _refused(self, path: str, status: int, raw: bytes) -> ServerError:
        said = error_message(raw)
        hint = "check --model, --base-url and the API key"
        if "logprobs" in said:
            hint = f"start vLLM with --max-logprobs {self._top} (behind --), or lower --kld-top"
        elif "grammar" in said:
            hint = NEWER_LLAMA
        return ServerError(f"the server refused {self._info.base_url}{path}: {status}, {said}", hint=hint)


def _text(value: Any) -> str:
    return "".join(letter for letter in value[:200] if letter.isprintable()) if isinstance(value, str) else ""
