"""Configuration: the only place that reads the environment. Variables are CARILLON_ and the name in capitals."""

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from resolvers.core.context import Bounds

CLIENTS_DIST = Path(__file__).parents[1] / "clients" / "dist"
"""The output directory of `make clients`."""


class InvalidSettings(Exception):  # noqa: N818 - its message is for operators
    """Invalid settings; the message names each one and says how to correct it."""


class OperationLimits(BaseSettings):
    """Limits of what one caller sends. Beyond one, the error is LIMIT_EXCEEDED and names the setting."""

    model_config = SettingsConfigDict(env_prefix="CARILLON_LIMIT_", frozen=True)

    depth: int = Field(default=16, ge=3, description="levels of nesting of an operation")
    aliases: int = Field(default=50, ge=0, description="aliases in an operation, including its fragments")
    roots: int = Field(default=50, ge=1, description="root fields of an operation, including its fragments")
    tokens: int = Field(default=4000, ge=50, description="tokens of a document")
    characters: int = Field(default=65_536, ge=1000, description="characters of a document")
    complexity: int = Field(default=50_000, ge=1000, description="fields compared to validate a document")
    cost: int = Field(default=20_000, ge=100, description="fields of an answer, counted with the sizes of lists")
    body: int = Field(default=2_097_152, ge=1024, description="bytes of a request or socket message")
    operations: int = Field(default=32, ge=1, description="concurrent operations on one socket")

    def setting(self, name: str) -> str:
        """Return the variable that sets a limit."""
        return f"CARILLON_LIMIT_{name.upper()}"


class AnonymousLimits(OperationLimits):
    """The limits of callers without a token. Those of other callers apply to them too."""

    model_config = SettingsConfigDict(env_prefix="CARILLON_LIMIT_ANONYMOUS_", frozen=True)
    _general: frozenset[str] = PrivateAttr(default=frozenset())

    aliases: int = Field(default=10, ge=0, description="the same without a token")
    roots: int = Field(default=5, ge=1, description="the same without a token")
    tokens: int = Field(default=1000, ge=50, description="the same without a token")
    characters: int = Field(default=16_384, ge=1000, description="the same without a token")
    complexity: int = Field(default=5000, ge=1000, description="the same without a token")
    cost: int = Field(default=2500, ge=100, description="the same without a token")
    body: int = Field(default=32_768, ge=1024, description="the same without a token")
    operations: int = Field(default=4, ge=1, description="the same without a token")

    def within(self, general: OperationLimits) -> "AnonymousLimits":
        """Return these limits, lowered to those of other callers."""
        lower = {
            name: value
            for name in OperationLimits.model_fields
            if (value := getattr(general, name)) <= getattr(self, name)
        }
        lowered = self.model_copy(update=lower)
        lowered._general = frozenset(lower)  # noqa: SLF001 - of the same class
        return lowered

    def setting(self, name: str) -> str:
        """Return the variable that sets a limit."""
        return super().setting(name if name in self._general else f"anonymous_{name}")


class Limits(OperationLimits):
    """The limits of a gateway."""

    head: int = Field(default=32_768, ge=1024, description="bytes of a request's line and headers")
    arrival: float = Field(
        default=10.0, gt=0, description="seconds for a request to arrive; a body gets one more for each 1000 bytes"
    )
    unread: float = Field(
        default=30.0, gt=0, description="seconds after which a client that reads nothing is disconnected"
    )
    connections: int = Field(default=10_000, ge=10, description="open connections of one process")
    page: int = Field(default=100, ge=1, le=1000, description="items of a page")
    batch: int = Field(default=500, ge=1, le=5000, description="events of one `recordEvents`")
    time: float = Field(default=10.0, gt=0, description="seconds of a query or mutation")
    sockets: int = Field(default=64, ge=1, description="live connections (WebSocket and SSE) of one actor")
    guesses: int = Field(
        default=20,
        ge=1,
        description="wrong look-ups of a token in 15 minutes before it waits; tills 3, agents 15 times that",
    )
    replay: int = Field(default=1000, ge=1, description="versions replayed one by one after `after`; more are a resync")
    _anonymous: AnonymousLimits = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Read the limits of callers without a token."""
        super().model_post_init(context)
        self._anonymous = AnonymousLimits().within(self)

    def of_caller(self, *, anonymous: bool) -> OperationLimits:
        """Return the limits of a caller with or without a token."""
        return self._anonymous if anonymous else self

    def bounds(self) -> Bounds:
        """Return the limits that resolvers enforce."""
        return Bounds(page_max=self.page, batch_max=self.batch, replay_max=self.replay, guesses_max=self.guesses)


class Settings(BaseSettings):
    """The settings of a gateway."""

    model_config = SettingsConfigDict(env_prefix="CARILLON_", frozen=True)

    mongodb_url: str | None = Field(default=None, description="the replica set or sharded cluster")
    database: str = Field(default="carillon", description="database name if the URL has none")
    data_dir: Path | None = Field(default=None, description="the embedded server's directory and the development key")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    workers: int = Field(default=1, ge=1, le=64, description="number of serving processes on one address; one per core")
    jwks_url: str | None = Field(default=None, description="URL of the token issuer's published keys (RS256, ES256)")
    jwt_issuer: str = Field(default="carillon-development", description="required `iss` of tokens")
    jwt_audience: str = Field(default="carillon", description="required `aud` of tokens")
    jwks_seconds: int = Field(default=300, ge=10, description="seconds to cache fetched keys")
    tokens_seconds: float = Field(
        default=60,
        ge=0,
        le=3600,
        description="seconds to cache a verified token; a revoked key stays trusted this long; 0 verifies each time",
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=[], description="web origins that browsers may call from, separated by commas"
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="addresses and networks of the proxies whose X-Forwarded-For counts, separated by commas",
    )
    answers_bytes: int = Field(default=67_108_864, ge=0, description="bytes of the response cache; 0 turns it off")
    operations: Path | None = Field(
        default=None, description="manifest of registered operations; default: that of `make clients`"
    )
    operations_only: bool = Field(
        default=False, description="run registered operations only, except for roles till, agent, manager and service"
    )
    drain_seconds: float = Field(
        default=1.0, ge=0, description="seconds after SIGTERM in which it is unready but serves"
    )
    stop_seconds: int = Field(default=20, ge=1, description="seconds after that for requests to finish")
    keep_alive_seconds: int = Field(
        default=75,
        ge=1,
        description="seconds an idle connection stays open; more than the load balancer's, or it meets closed ones",
    )
    clock_skew_seconds: float = Field(
        default=30, gt=0, description="most seconds between the host clock and MongoDB's; beyond it nothing is settled"
    )
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$", description="lowest level logged")

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for proxy in value:
            ip_network(proxy)  # its error names the address; uvicorn would take a wrong one for a name
        return value

    def directory(self) -> Path:
        """Return the data directory: the setting, else `carillon` in the user's XDG data home."""
        if self.data_dir is not None:
            return self.data_dir
        home = os.environ.get("XDG_DATA_HOME")
        return (Path(home) if home else Path.home() / ".local" / "share") / "carillon"


def read_settings(**values: object) -> Settings:
    """Return the settings of the environment, overridden by the `values` that are not None.

    Raises:
        InvalidSettings: the message names each invalid setting.
    """
    try:
        return Settings.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise InvalidSettings(_message(error, "CARILLON_")) from error


def read_limits() -> Limits:
    """Return the limits of the environment; raise InvalidSettings, which names each invalid one."""
    prefix = "CARILLON_LIMIT_ANONYMOUS_"
    try:
        AnonymousLimits()
        prefix = "CARILLON_LIMIT_"
        return Limits()
    except ValidationError as error:
        raise InvalidSettings(_message(error, prefix)) from error


def _message(error: ValidationError, prefix: str) -> str:
    faults = [f"{prefix}{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
    return "; ".join(faults) + ". See the configuration table in README."
