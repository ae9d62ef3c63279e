"""What a request for a job looks like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from web.catalogue.request_schema import SUITES, either, params_schema

PRIORITIES = ("high", "normal", "low")
_MOST_LABEL = 64
_PARAMS = "Settings of `run` by name, such as limit, temperature, gpu_layers; GET /catalogue lists them."
Name = Annotated[str, Field(min_length=1, max_length=200)]
_Suite = Annotated[Name, WithJsonSchema({"type": "string", "enum": list(SUITES)})]


class OllamaParams(BaseModel):
    """Parameters by the names that Ollama gives them."""

    model_config = ConfigDict(extra="forbid")
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    num_predict: int | None = None
    num_ctx: int | None = None
    seed: int | None = None


class RunConfig(BaseModel):
    """What is asked, and how. provider: `local`, a server that is launched here, or a name of the catalogue. server:
    how a local one is launched, or which running one is asked; a name of the catalogue.
    """

    model_config = ConfigDict(extra="forbid")
    provider: Name = "local"
    server: Name | None = None
    model: Name | None = Field(
        default=None, description="A name of the catalogue; of a provider, what it calls the model."
    )
    params: dict[str, JsonValue] = Field(
        default_factory=dict, description=_PARAMS, json_schema_extra=params_schema()
    )
    ollama_params: OllamaParams | None = None


class RunRequest(BaseModel):
    """One job: a suite with its config, or a whole manifest."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=either)
    project_id: int | Annotated[str, Field(max_length=_MOST_LABEL)] | None = Field(
        default=None, description="A label of your own, to find the job by."
    )
    suite: _Suite | None = Field(default=None, description="A benchmark or a suite, such as human_eval.")
    config: RunConfig | None = None
    manifest: dict[str, JsonValue] | None = Field(
        default=None,
        description="Instead of suite and config: a sweep, as docs/manifest.md describes, with names of the catalogue.",
    )
    engine: Name | None = Field(
        default=None,
        description="Machines that it runs on, by a name of the catalogue. Without it, the worker's own.",
    )
    priority: Literal["high", "normal", "low"] = "high"
