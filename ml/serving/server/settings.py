"""What differs per serving process, read once from its environment: Vertex AI's variables and our own.

Source of AIP_*: Vertex AI, "Custom container requirements for prediction".
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator


def variable(name: str) -> str:
    """The environment variable of a setting."""
    vertex = name in ("http_port", "health_route", "predict_route", "storage_uri")
    return f"{'AIP' if vertex else 'SERVING'}_{name.upper()}"


class ServerSettings(BaseModel):
    """A serving process. Every field is an environment variable: `variable` says which."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", alias_generator=variable, populate_by_name=True)

    http_port: int = Field(default=8080, ge=0, le=65535)
    health_route: str = Field(default="/health", pattern="^/")
    predict_route: str = Field(default="/predict", pattern="^/")
    storage_uri: str = ""  # a version's folder, gs:// or a path
    model: str = ""  # refuse a version of another model
    registry: str = ""  # instead of storage_uri, the folder of a registry whose champion is followed
    max_body_bytes: PositiveInt = 1_500_000  # Vertex AI's own limit of a request
    max_instances: PositiveInt = 1_000
    body_timeout_s: PositiveFloat = 10.0
    header_timeout_s: PositiveFloat = 10.0
    max_connections: PositiveInt = 512
    drain_s: float = 0.0  # between "not ready" and the last accepted connection
    stop_timeout_s: float = 25.0
    log_share: float = Field(default=0.1, ge=0, le=1)  # of the requests, written to the prediction log
    log_sink: str = ""  # a folder, or bigquery://project/dataset/table; empty: no prediction log
    reload_every_s: float = 1.0

    @model_validator(mode="after")
    def _routes_differ(self) -> ServerSettings:
        if self.health_route == self.predict_route:
            raise ValueError(f"{variable('health_route')} and {variable('predict_route')} are the same route")
        return self

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> ServerSettings:
        """From AIP_* and SERVING_* variables; an empty one is as good as none. Raises BadInputError naming it."""
        names = [variable(name) for name in cls.model_fields]
        values = {name: text for name in names if (text := environment.get(name, "").strip())}
        try:
            return cls.model_validate_strings(values)
        except ValidationError as invalid:
            from fonderie.core.toml import problems_in, refusal

            raise refusal(problems_in(invalid, cls), where="environment") from None
