"""Registered operations: the manifest that a client's build writes, read and validated before the gateway serves.

Two formats are read: that of GraphQL Code Generator, {"<SHA-256 of the text>": "<text>"}, and Apollo's persisted query
manifest, whose operations may have their own ids.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLSchema

from gateway.config import CLIENTS_DIST, InvalidSettings, Limits, Settings
from gateway.operations.executor import InvalidOperation, checked_document

BUILT = CLIENTS_DIST / "operations.json"
APOLLO_FORMAT = "apollo-persisted-query-manifest"
APOLLO_VERSION = 1
BYTES_MAX = 16_777_216
OPERATIONS_MAX = 10_000
FAULTS_REPORTED_MAX = 10
SHA256_PREFIX = "sha256:"

_HASH = re.compile(r"[0-9a-f]{64}")
# The characters of an identifier (GraphQL over HTTP, appendix on persisted documents); custom prefixes start with `x-`.
_OWN_ID = re.compile(r"(x-[A-Za-z0-9._~-]{1,100}:)?[A-Za-z0-9._~-]{1,200}", re.ASCII)
_NAMED = re.compile(r"^\s*(?:query|mutation|subscription)\s+(\w+)", re.MULTILINE | re.ASCII)


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of a text, in lower-case hexadecimal."""
    return sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Manifest:
    """The registered operations: texts by the hash of the text, and by the manifest's own id."""

    texts: Mapping[str, str] = field(default_factory=dict)

    def find(self, id_: str) -> str | None:
        """Return the text of a registered operation, or None; a hash may have the prefix of a documentId."""
        return self.texts.get(id_.removeprefix(SHA256_PREFIX))

    def contains(self, text: str) -> bool:
        """Return whether a text is exactly that of a registered operation."""
        return sha256_hex(text) in self.texts

    def names(self) -> list[str]:
        """Return the names of the registered operations."""
        return sorted({found[1] for text in self.texts.values() for found in _NAMED.finditer(text)})

    def __len__(self) -> int:
        """Return the number of registered operations."""
        return len(set(self.texts.values()))


@dataclass(frozen=True, slots=True)
class _Listed:
    """One operation of the file."""

    id: str
    name: str
    text: str

    @property
    def label(self) -> str:
        """How an error message names it, so that an operator finds it in the file."""
        return f"operation {self.name} ({self.id[:80]})"


class _Unusable(Exception):  # noqa: N818 - becomes part of a message for operators
    """The manifest's file is invalid; the message says why."""


def read_manifest(settings: Settings, limits: Limits, schema: GraphQLSchema, *, built: Path = BUILT) -> Manifest:
    """Return the registered operations: of the setting's file, else of the clients' build, else none.

    Raises:
        InvalidSettings: the file is invalid, or only registered operations may run and none are registered.
    """
    file = settings.operations or (built if built.is_file() else None)
    if file is None:
        if settings.operations_only:
            raise InvalidSettings(
                "CARILLON_OPERATIONS_ONLY: no operations are registered, so clients could run none. "
                "Build the clients with `make clients`, or set CARILLON_OPERATIONS to the path of a manifest"
            )
        return Manifest()
    try:
        return _validated(_listed(_parsed(file)), limits, schema)
    except _Unusable as error:
        raise InvalidSettings(
            f"CARILLON_OPERATIONS: {file} cannot be used: {error}. Rebuild the clients with `make clients`, or "
            "correct the manifest; docs/operations.md describes it"
        ) from None


def _parsed(file: Path) -> Any:
    try:
        with file.open("rb") as opened:
            content = opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise _Unusable(f"it cannot be read ({error.strerror})") from None
    if len(content) > BYTES_MAX:
        raise _Unusable(f"it is larger than {BYTES_MAX} bytes")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _Unusable(f"it is not JSON ({error})") from None


def _listed(raw: Any) -> list[_Listed]:
    """Return the operations of either format."""
    if not isinstance(raw, dict):
        raise _Unusable('it is not an object such as {"<SHA-256 of the text>": "<text>"}')
    if "format" not in raw:
        listed = [_Listed(id_.removeprefix(SHA256_PREFIX), _name_in(text), text) for id_, text in _texts(raw.items())]
    elif (raw["format"], raw.get("version")) == (APOLLO_FORMAT, APOLLO_VERSION):
        listed = [*_apollo(raw.get("operations"))]
    else:
        raise _Unusable(f"its format is not {APOLLO_FORMAT}, version {APOLLO_VERSION}")
    if not listed:
        raise _Unusable("it lists no operation")
    if len(listed) > OPERATIONS_MAX:
        raise _Unusable(f"it lists more than {OPERATIONS_MAX} operations")
    return listed


def _texts(items: Any) -> Iterator[tuple[str, str]]:
    for id_, text in items:
        if not isinstance(text, str):
            raise _Unusable(f"operation {id_[:80]} has no text")
        if not _HASH.fullmatch(id_.removeprefix(SHA256_PREFIX)):
            raise _Unusable(f"operation {_name_in(text)} is listed under {id_[:80]!r}, which is not a SHA-256")
        yield id_, text


def _apollo(operations: Any) -> Iterator[_Listed]:
    if not isinstance(operations, list):
        raise _Unusable("its operations are not a list")
    for number, one in enumerate(operations, start=1):
        values = [one.get(name) if isinstance(one, dict) else None for name in ("id", "name", "body")]
        if not all(isinstance(value, str) for value in values):
            raise _Unusable(f"operation number {number} needs id, name, type and body")
        id_, name, body = map(str, values)
        if not _OWN_ID.fullmatch(id_):
            raise _Unusable(f"operation {name[:80]} has the id {id_[:80]!r}; use letters, digits and -._~")
        yield _Listed(id_, name[:80], body)


def _name_in(text: str) -> str:
    found = _NAMED.search(text)
    return found[1][:80] if found is not None else "without a name"


def _validated(listed: list[_Listed], limits: Limits, schema: GraphQLSchema) -> Manifest:
    texts: dict[str, str] = {}
    faults: list[str] = []
    for one in listed:
        fault = _fault(one, texts, limits, schema)
        if fault is not None:
            faults.append(f"{one.label}: {fault}")
        texts |= {one.id: one.text, sha256_hex(one.text): one.text}
    if faults:
        more = len(faults) - FAULTS_REPORTED_MAX
        raise _Unusable("; ".join(faults[:FAULTS_REPORTED_MAX]) + (f"; and {more} more" if more > 0 else ""))
    return Manifest(texts)


def _fault(one: _Listed, known: Mapping[str, str], limits: Limits, schema: GraphQLSchema) -> str | None:
    """Return why an operation cannot be registered, or None."""
    if _HASH.fullmatch(one.id) and sha256_hex(one.text) != one.id:
        return "the id is a SHA-256, but not that of its text"
    if known.get(one.id, one.text) != one.text:
        return "another operation has the same id"
    try:
        checked_document(schema, one.text, limits)
    except InvalidOperation as invalid:
        return " ".join(str(error["message"]).rstrip(".") for error in invalid.answer("en")["errors"])
    return None
