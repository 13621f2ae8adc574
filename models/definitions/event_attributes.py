"""Validates an event's attributes against the JSON Schema that the programme declares for the event's type."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from models.definitions.cel_kinds import BOOL, STRING, UNKNOWN, Kind

_OF_REFERENCES = ("$ref", "$dynamicRef")
# Keywords whose value is data, not a schema: a property may be named `format`.
_OF_DATA = frozenset({"const", "enum", "default", "examples"})
_OF_NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})

# jsonschema ignores formats without a checker. That of date-time needs a package that is not installed.
FORMATS = FormatChecker()
FORMATS.checkers = dict(Draft202012Validator.FORMAT_CHECKER.checkers)


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """Return whether a value is no string, or a moment of RFC 3339."""
    if not isinstance(value, str):
        return True
    return value[10:11] in {"T", "t", " "} and datetime.fromisoformat(value).tzinfo is not None


def _schemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and those within it."""
    if isinstance(schema, Mapping):
        yield schema
        for keyword, value in schema.items():
            if keyword in _OF_NAMED_SCHEMAS and isinstance(value, Mapping):
                for named in value.values():
                    yield from _schemas(named)
            elif keyword not in _OF_DATA:
                yield from _schemas(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _schemas(item)


def attribute_kinds(schema: Mapping[str, Any]) -> Kind:
    """Return the kind of the attributes that a JSON Schema describes, for expressions.

    Only if it forbids other properties are the names known. A number can be an int or a double.
    """
    properties = schema.get("properties")
    if schema.get("additionalProperties") is not False or "patternProperties" in schema or not properties:
        return UNKNOWN
    kinds = {"string": STRING, "boolean": BOOL}
    types = {name: one.get("type") if isinstance(one, Mapping) else None for name, one in properties.items()}
    fields = {
        name: (kinds.get(found, UNKNOWN) if isinstance(found, str) else UNKNOWN,) for name, found in types.items()
    }
    return Kind("map", (UNKNOWN,), fields)


TOO_DEEP = "nested too deeply to validate"


class JsonSchemaCheck:
    """A compiled JSON Schema (draft 2020-12) for attributes."""

    __slots__ = ("_validator",)

    def __init__(self, schema: Mapping[str, Any], *, is_stored: bool = False) -> None:
        """Compile `schema`. One that is stored was accepted by an earlier release, which checked less.

        Raises:
            ValueError: it is not a valid JSON Schema, a `$ref` does not resolve within it, or a format is not checked.
        """
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"invalid JSON Schema: {error.message}") from error
        # An empty registry, so that validating an event never fetches a URL.
        self._validator = Draft202012Validator(schema, registry=Registry(), format_checker=FORMATS)
        _check_references(schema)
        if not is_stored:
            _check_formats(schema)
            if self.fault({}) == TOO_DEEP:
                raise ValueError("a $ref leads back to itself without an end; let it lead to a part of the value")

    def fault(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the first error by path, as `path: message`, or None if the attributes are valid."""
        try:
            error = min(self._validator.iter_errors(attributes), key=lambda found: list(found.path), default=None)
        except RecursionError:
            return TOO_DEEP
        if error is None:
            return None
        path = ".".join(str(step) for step in error.path)
        return f"{path}: {error.message}" if path else error.message


def _check_references(schema: Mapping[str, Any]) -> None:
    """Raise ValueError for a reference that does not resolve within the schema."""
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for found in _schemas(schema):
        for keyword in _OF_REFERENCES:
            reference = found.get(keyword)
            if not isinstance(reference, str):
                continue
            try:
                resolver.lookup(reference)
            except Unresolvable as error:
                raise ValueError(
                    f"{keyword} {reference!r} does not resolve; write #/$defs/NAME and define NAME under $defs"
                ) from error


def _check_formats(schema: Mapping[str, Any]) -> None:
    """Raise ValueError for a format that would be ignored."""
    for found in _schemas(schema):
        name = found.get("format")
        if isinstance(name, str) and name not in FORMATS.checkers:
            known = ", ".join(sorted(FORMATS.checkers))
            raise ValueError(f"format {name!r} is not checked; use {known}, or write a pattern")
