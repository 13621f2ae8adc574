"""The check of an event's attributes: the JSON Schema that the programme declares for its type."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError


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
        self._validator = Draft202012Validator(schema)

    def fault(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the first thing wrong, as `path: sentence`, or None."""
        error = next(iter(sorted(self._validator.iter_errors(attributes), key=lambda found: list(found.path))), None)
        if error is None:
            return None
        path = ".".join(str(step) for step in error.path)
        return f"{path}: {error.message}" if path else error.message
