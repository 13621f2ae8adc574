"""The check of an event's attributes: the JSON Schema that the programme declares for its type."""

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
    """A JSON Schema (draft 2020-12) held against attributes."""

    __slots__ = ("_validator",)

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Compile `schema`.

        Raises:
            ValueError: it is no valid JSON Schema.
        """
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"not a JSON Schema: {error.message}") from error
        resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
        for reference in _references(schema):
            try:
                resolver.lookup(reference)
            except Unresolvable as error:
                raise ValueError(f"$ref {reference!r} leads nowhere; write #/$defs/NAME, and define it") from error
        # An empty registry: nothing is ever fetched to check an event.
        self._validator = Draft202012Validator(schema, registry=Registry())

    def fault(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the first thing wrong, as `path: sentence`, or None."""
        try:
            error = min(self._validator.iter_errors(attributes), key=lambda found: list(found.path), default=None)
        except RecursionError:
            return "nested too deep to be checked"
        if error is None:
            return None
        path = ".".join(str(step) for step in error.path)
        return f"{path}: {error.message}" if path else error.message
