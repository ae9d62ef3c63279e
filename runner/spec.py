"""The specification of a run: validated before anything starts, and the same on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from results.prompts.prompt_file import PROMPT_SHA256, read_prompt_file
from settings.suites import shipped_suites, suite_facts, suite_identity
from settings.verdict_rules import rules_of

if TYPE_CHECKING:
    from servers.request import ServerRequest
    from settings.asked import Asked
    from settings.benchmarks import Benchmark
    from settings.setting import Setting


class RunSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as specified.

    asked: all settings by name, with absolute paths. server: the resulting request, possibly with settings lowered
    after memory ran out. parser: its name, or an absolute path.
    """

    benchmark: Benchmark
    asked: Asked
    server: ServerRequest
    parser: str

    @property
    def external_script(self) -> Path | None:
        """The program that replaces our script, or None."""
        script = self.asked["script"]
        return None if script is None else Path(script)

    def for_script(self) -> list[tuple[Setting, Any]]:
        """The settings passed to the script: those that were given or have a default, with their values."""
        return [
            (setting, self.asked[name])
            for name, setting in self.asked.table.items()
            if setting.to_script and self.asked[name] is not None
            if setting.knows_benchmark(self.benchmark.name)
        ]

    def config(self) -> dict[str, Any]:
        """The settings for a record: those that were given, and those that follow for the server."""
        server = self.server
        model = server.model
        followed = {
            "path": str(model.path) if model is not None and model.path is not None else None,
            "server": server.kind,
            "script": self.asked["script"] or self.benchmark.module,
            "parser": self.parser,
            "sandbox": self.asked["sandbox"],
            "gpu_layers": server.gpu_layers,
            "ctx_size": server.ctx_size,
            "kld_way": self.kld_way,
            **self._suite(),
            PROMPT_SHA256: self.prompt_sha256,
            "lora_content": self._lora_content(),
            "draft_sha256": self.draft_sha256,
            **(rules_of(self.benchmark.name)._asdict() if self.external_script is None else {}),
        }
        kept = {
            **self.asked.recorded(),
            **{name: value for name, value in followed.items() if value is not None},
        }
        for name in ("benchmark", "model", "port"):  # the record has its own fields for these
            kept.pop(name, None)
        return kept

    @property
    def suite_sha256(self) -> str | None:
        """Of the file that declares the benchmark and what it names; None for one that is a program."""
        suite = self.benchmark.suite
        return None if suite is None else suite_facts(suite).sha256

    @property
    def prompt_sha256(self) -> str | None:
        """Of what the prompt file adds; None if that is nothing. Raises UsageError if it can't be read."""
        if self.asked["prompt"] is None:
            return None
        prompt = read_prompt_file(Path(self.asked["prompt"])).prompt
        return None if prompt.is_empty else prompt.sha256

    @property
    def draft_sha256(self) -> str | None:
        """Of the draft model; None without one on this machine. Raises UsageError."""
        if not self.server.names_draft:
            return None
        from servers.speculation.draft_model import draft_sha256

        return draft_sha256(self.server)

    def _lora_content(self) -> list[str] | None:
        if not self.asked["lora"]:
            return None
        from servers.lora import adapter_contents

        return adapter_contents(self.asked["lora"])

    def _suite(self) -> dict[str, str]:
        """What says which suite it was. suite: the file of one's own."""
        path = self.benchmark.suite
        if path is None:
            return {}
        own = {} if path in shipped_suites().values() else {"suite": str(path)}
        return {**own, **suite_identity(path)}

    @property
    def kld_way(self) -> str | None:
        """How kld measures on this machine, also where that was left open; None for other benchmarks."""
        if self.benchmark.name != "kld" or self.external_script is not None:
            return None
        return "llama-perplexity" if self.server.perplexity is not None else "served"

    def with_server(self, server: ServerRequest) -> Self:
        """The same run on that server."""
        return msgspec.structs.replace(self, server=server)
