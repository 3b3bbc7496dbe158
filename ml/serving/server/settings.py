"""What differs per serving process, read once from its environment: Vertex AI's variables and our own.

Source of AIP_*: Vertex AI, "Custom container requirements for prediction".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from fonderie.core.errors import BadInputError


@dataclass(frozen=True)
class Settings:
    """A serving process. Every field is an environment variable; its doc says which."""

    http_port: int = 8080  # AIP_HTTP_PORT
    health_route: str = "/health"  # AIP_HEALTH_ROUTE
    predict_route: str = "/predict"  # AIP_PREDICT_ROUTE
    storage_uri: str = ""  # AIP_STORAGE_URI: a version's folder, gs:// or a path
    model: str = ""  # SERVING_MODEL: refuse a version of another model
    registry: str = ""  # SERVING_REGISTRY: instead of storage_uri, the folder of a registry whose champion is followed
    max_body_bytes: int = 1_500_000  # SERVING_...: Vertex AI's own limit of a request
    max_instances: int = 1_000
    body_timeout_s: float = 10.0
    header_timeout_s: float = 10.0
    max_connections: int = 512
    drain_s: float = 0.0  # between "not ready" and the last accepted connection
    stop_timeout_s: float = 25.0
    log_share: float = 0.1  # of the requests, written to the prediction log
    log_sink: str = ""  # a folder, or bigquery://project/dataset/table; empty: no prediction log
    reload_every_s: float = 1.0

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """From AIP_* and SERVING_* variables. Raises BadInputError naming the variable."""
        values = {field.name: _read(field.name, str(field.type), environment) for field in fields(cls)}
        settings = cls(**{name: value for name, value in values.items() if value is not None})  # type: ignore[arg-type]  # typed by _read
        settings.check()
        return settings

    def check(self) -> None:
        """Raises BadInputError for a value no server can run with."""
        for name in ("health_route", "predict_route"):
            if not str(getattr(self, name)).startswith("/"):
                raise BadInputError(f"{getattr(self, name)!r} must start with /", where=variable(name))
        if self.health_route == self.predict_route:
            raise BadInputError("the health route and the predict route are the same", where=variable("health_route"))
        if not 0 <= self.log_share <= 1:
            raise BadInputError(f"{self.log_share} is not a share between 0 and 1", where=variable("log_share"))
        if not 0 <= self.http_port <= 65535:
            raise BadInputError(f"{self.http_port} is not a port (0 to 65535)", where=variable("http_port"))
        for name in ("max_body_bytes", "max_instances", "max_connections", "body_timeout_s", "header_timeout_s"):
            if getattr(self, name) <= 0:
                raise BadInputError(f"{getattr(self, name)} must be above 0", where=variable(name))


def variable(name: str) -> str:
    """The environment variable of a setting."""
    vertex = name in ("http_port", "health_route", "predict_route", "storage_uri")
    return f"{'AIP' if vertex else 'SERVING'}_{name.upper()}"


def _read(name: str, kind: str, environment: Mapping[str, str]) -> int | float | str | None:
    text = environment.get(variable(name), "").strip()
    if not text:
        return None
    try:
        value: int | float | str = {"int": int, "float": float, "str": str}[kind](text)
    except ValueError:
        raise BadInputError(f"{text!r} is not a valid {kind}", where=variable(name)) from None
    return value
