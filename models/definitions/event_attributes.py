"""Validates an event's attributes against the JSON Schema that the programme declares for the event's type."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)


class JsonSchemaCheck:
    """A compiled JSON Schema (draft 2020-12) for attributes."""

    __slots__ = ("_validator",)

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Compile `schema`.

        Raises:
            ValueError: it is not a valid JSON Schema, or a `$ref` does not resolve within it.
        """
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"invalid JSON Schema: {error.message}") from error
        resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
        for reference in _references(schema):
            try:
                resolver.lookup(reference)
            except Unresolvable as error:
                raise ValueError(
                    f"$ref {reference!r} does not resolve; write #/$defs/NAME and define NAME under $defs"
                ) from error
        # An empty registry, so that validating an event never fetches a URL.
        self._validator = Draft202012Validator(schema, registry=Registry())

    def fault(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the first error by path, as `path: message`, or None if the attributes are valid."""
        try:
            error = min(self._validator.iter_errors(attributes), key=lambda found: list(found.path), default=None)
        except RecursionError:
            return "nested too deeply to validate"
        if error is None:
            return None
        path = ".".join(str(step) for step in error.path)
        return f"{path}: {error.message}" if path else error.message
