"""Configuration: the only place that reads the environment. Every setting is CARILLON_ and its name in capitals."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from resolvers.core.context import Bounds

CLIENTS_DIST = Path(__file__).parents[1] / "clients" / "dist"
"""Where `make clients` puts what it builds."""


class InvalidSettings(Exception):  # noqa: N818 - told to operators
    """Settings that cannot work; says which, and what they should be."""


class Limits(BaseSettings):
    """What one request, actor or socket may ask for. Past any of them: LIMIT_EXCEEDED, which names the setting."""

    model_config = SettingsConfigDict(env_prefix="CARILLON_LIMIT_", frozen=True)

    depth: int = Field(default=16, ge=3, description="levels of nesting")
    aliases: int = Field(default=50, ge=0, description="aliases in an operation, through its fragments")
    tokens: int = Field(default=4000, ge=50, description="tokens of a document")
    complexity: int = Field(default=50_000, ge=1000, description="work to validate a document (fields compared)")
    body: int = Field(default=2_097_152, ge=1024, description="bytes of a request or socket message")
    page: int = Field(default=100, ge=1, le=1000, description="items of a page")
    batch: int = Field(default=500, ge=1, le=5000, description="events of one `recordEvents`")
    time: float = Field(default=10.0, gt=0, description="seconds of a query or mutation")
    sockets: int = Field(default=64, ge=1, description="live connections (WebSocket and SSE) of one actor")
    operations: int = Field(default=32, ge=1, description="operations at once on one socket")
    replay: int = Field(default=1000, ge=1, description="versions told one by one after `after`; more are a resync")

    def bounds(self) -> Bounds:
        """Return the limits that operations themselves hold."""
        return Bounds(page_max=self.page, batch_max=self.batch, replay_max=self.replay)


class Settings(BaseSettings):
    """How a gateway runs."""

    model_config = SettingsConfigDict(env_prefix="CARILLON_", frozen=True)

    mongodb_url: str | None = Field(default=None, description="the replica set or sharded cluster")
    database: str = Field(default="carillon", description="database name where the URL has none")
    data_dir: Path | None = Field(default=None, description="the embedded server's directory and the development key")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    workers: int = Field(default=1, ge=1, le=64, description="processes that serve, on one address; one for each core")
    jwks_url: str | None = Field(default=None, description="where the token issuer publishes its keys (RS256, ES256)")
    jwt_issuer: str = Field(default="carillon-development", description="`iss` that tokens must carry")
    jwt_audience: str = Field(default="carillon", description="`aud` that tokens must carry")
    jwks_seconds: int = Field(default=300, ge=10, description="how long fetched keys are kept before asking again")
    tokens_seconds: float = Field(
        default=60, ge=0, le=3600, description="how long a verified token is known again; 0 verifies it each time"
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=[], description="web origins that browsers may call from, separated by commas"
    )
    answers_bytes: int = Field(
        default=67_108_864, ge=0, description="memory for answers that are proved and given again"
    )
    operations: Path | None = Field(
        default=None, description="manifest of registered operations; where it is not set, that of `make clients`"
    )
    operations_only: bool = Field(
        default=False, description="run registered operations only, but for roles till, agent, manager and service"
    )
    drain_seconds: float = Field(default=1.0, ge=0, description="unready but serving, before connections are closed")
    stop_seconds: int = Field(default=20, ge=1, description="then so long for requests to finish")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="least level logged")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        if isinstance(value, str):
            return [origin.strip() for origin in value.split(",") if origin.strip()]
        return value

    def directory(self) -> Path:
        """Return the data directory: the configured one, else `carillon` in the user's XDG data home."""
        if self.data_dir is not None:
            return self.data_dir
        home = os.environ.get("XDG_DATA_HOME")
        return (Path(home) if home else Path.home() / ".local" / "share") / "carillon"


def read_settings(**values: object) -> Settings:
    """Return the settings; `values` that are None leave the environment's.

    Raises:
        InvalidSettings: naming each setting that is wrong.
    """
    try:
        return Settings.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise InvalidSettings(_told(error, "CARILLON_")) from error


def read_limits() -> Limits:
    """Return the limits; raises InvalidSettings naming each one that is wrong."""
    try:
        return Limits()
    except ValidationError as error:
        raise InvalidSettings(_told(error, "CARILLON_LIMIT_")) from error


def _told(error: ValidationError, prefix: str) -> str:
    faults = [f"{prefix}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
    return "; ".join(faults) + ". See the configuration table in README."
