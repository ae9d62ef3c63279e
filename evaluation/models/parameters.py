"""Which parameters a server takes: known from what it says of itself, and learnt from its refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from evaluation.models.refusals import refused_parameters, refuses_system_prompt
from evaluation.models.replies import error_message
from evaluation.models.sampling import Dialect
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from evaluation.models.sampling import Sampling

REFUSING = (400, 422)  # statuses of a request that the server understood and does not want
_LIMIT, _NEWER_LIMIT = (
    "max_tokens",
    "max_completion_tokens",
)  # OpenAI's models that think know the newer name only
# Some models that think refuse a limit that leaves them no room.
_TOO_SMALL = re.compile(r"at least|greater|minimum|>|too (?:small|low)|below", re.IGNORECASE)
_ALWAYS_TAKEN = {"max_tokens", "system_prompt"}
_WHOLE = {"top_logprobs": "logprobs"}  # one means nothing without the other


class Parameters:
    """The parameters of all requests to one server.

    What was asked for is sent, or the run ends; a mere default is left out once the server refuses it.

    left_out, sent_as: as an earlier try learnt them, or the provider's row has them. limit_by_row: the newer name of
    the limit of tokens is the row's, and not learnt. without_effect: defaults that the provider lacks, and that would
    change nothing. extra: what was asked for beside the sampling, by the provider's names. drops: see
    `settings.providers.ProviderFacts`. on_learnt: is told in a
    sentence what was learnt, before the refused request is sent again.
    """

    def __init__(
        self,
        sampling: Sampling,
        *,
        left_out: Iterable[str] = (),
        sent_as: Mapping[str, str] | None = None,
        limit_by_row: bool = False,
        without_effect: Iterable[str] = (),
        extra: Mapping[str, Any] | None = None,
        dialect: Dialect = Dialect.VLLM,
        drops: str = "",
        on_learnt: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.sampling = sampling
        self.sent_as = dict(sent_as or {})
        self._limit_by_row = limit_by_row
        self._went_back = False
        self._refused = set(left_out)
        self._without_effect = frozenset(without_effect)
        self._extra = dict(extra or {})
        self._drops = drops
        self._on_learnt = on_learnt
        self._speak(dialect)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Defaults that the server refused."""
        return tuple(sorted(self._refused - self._given.keys()))

    @property
    def warnings(self) -> list[str]:
        """What to know before comparing, in sentences."""
        found = []
        if self.left_out:
            names = ", ".join(self.left_out)
            found.append(
                f"the server does not take {names} and used its own: compare only with runs where it did so too"
            )
        asked_for = sorted(option for name, option in self._given.items() if name not in _ALWAYS_TAKEN)
        if self._drops and asked_for:
            found.append(
                f"the provider leaves out {', '.join(asked_for)} without a word where the model has no such "
                f"parameter; {self._drops} makes that an error"
            )
        return found

    def describe(self) -> dict[str, Any]:
        """What is sent and what is not, for the record."""
        found: dict[str, Any] = {
            **self.sampling.settings(),
            "left_out": list(self.left_out),
            "sent_as": self.sent_as,
        }
        return {name: value for name, value in found.items() if value not in (None, [], {})}

    def read_properties(self, properties: Mapping[str, Any]) -> None:
        """Take over what llama-server says of itself at /props.

        Raises UsageError where the model's chat template has no use for what was asked.
        """
        if not isinstance(properties.get("default_generation_settings"), dict):
            return
        self._speak(Dialect.LLAMA_CPP)
        caps, effort = properties.get("chat_template_caps"), self.sampling.reasoning_effort
        known = caps.get("supports_reasoning_effort") if isinstance(caps, dict) else None
        if known is False and effort not in {None, "none"}:
            raise UsageError(
                f"the model's chat template has no levels of reasoning effort: {effort} would change nothing",
                hint="leave --reasoning-effort out, or take --thinking-budget; `none` turns thinking off",
            )

    def takes(self, name: str) -> bool:
        """Whether a default of that name is still sent."""
        name = _WHOLE.get(name, name)
        return name not in self._refused and name not in self._without_effect

    def fields(
        self, sampling: Sampling, values: Mapping[str, Any], own: Collection[str] = ()
    ) -> dict[str, Any]:
        """The parameters of a request that the server takes: its sampling's, and `values`, which go before them.

        own: those of the values that the request chose, whatever was asked for.
        """
        wanted = {**sampling.parameters(self._dialect), **values, **self._extra}
        return {
            self.sent_as.get(name, name): value
            for name, value in wanted.items()
            if self.takes(name) or (name in self._given and name not in own)
        }

    def refuse(self, raw: bytes, sent: Collection[str], own: Collection[str] = ()) -> bool:
        """Learn from a refusal; True when the request is to be sent again, with the fields that are taken.

        Raises UsageError for what was asked for, and for the limit of an answer, without which none can be compared;
        not where only the request's own limit is too small.
        """
        said = error_message(raw)
        if "system_prompt" in self._given and refuses_system_prompt(raw):
            raise self._refusal("system_prompt", said)
        names = refused_parameters(raw, sent)
        if names == (_NEWER_LIMIT,) and self._limit_by_row and self._takes_older_limit(said):
            return True
        if _NEWER_LIMIT in names or (_LIMIT in names and _NEWER_LIMIT not in said):
            if _LIMIT in own and _TOO_SMALL.search(said):
                return False  # of a probe, not that of the answers
            raise self._refusal(_LIMIT, said)
        if _LIMIT in names and _LIMIT not in self.sent_as:
            self.sent_as[_LIMIT] = _NEWER_LIMIT
            self._on_learnt(f"the server takes {_LIMIT} as {_NEWER_LIMIT}")
        others = [name for name in names if name != _LIMIT]
        defaults = [name for name in others if name in own or name not in self._given]
        if others and not defaults:
            raise self._refusal(others[0], said)
        self.leave_out(defaults, said)
        return bool(names)

    def _takes_older_limit(self, said: str) -> bool:
        """Whether the limit may go by its older name: behind a provider's API may be a server that knows only that.

        True too for a request that was on its way while this was learnt.
        """
        if _LIMIT in self.sent_as and not self._went_back:
            self._went_back = True
            del self.sent_as[_LIMIT]
            self._on_learnt(f"the server does not take {_NEWER_LIMIT}, so {_LIMIT} is sent: {said}")
        return _LIMIT not in self.sent_as

    def leave_out(self, names: Iterable[str], said: str) -> None:
        """Send these defaults no more."""
        for name in (_WHOLE.get(name, name) for name in names):
            if name not in self._refused:
                self._refused.add(name)
                if name not in self._given:
                    self._on_learnt(f"the server does not take {name}, which is left out from now on: {said}")

    def _speak(self, dialect: Dialect) -> None:
        self._dialect = dialect
        given = {dialect.value.get(name, name): option for name, option in self.sampling.given.items()}
        self._given = {**given, **dict.fromkeys(self._extra, "--provider-params")}

    def _refusal(self, name: str, said: str) -> UsageError:
        option = self._given.get(name, f"--{name.replace('_', '-')}")
        return UsageError(
            f"the server refuses {name} ({option}): {said}", hint="leave the option out, or change its value"
        )
