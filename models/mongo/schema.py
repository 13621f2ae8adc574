"""Builds the JSON Schema validators with which MongoDB itself checks each document, whichever program writes it."""

from typing import Any

STRING: dict[str, Any] = {"bsonType": "string"}
INTEGER: dict[str, Any] = {"bsonType": ["int", "long"]}
DATE: dict[str, Any] = {"bsonType": "date"}
OBJECT: dict[str, Any] = {"bsonType": "object"}
ARRAY: dict[str, Any] = {"bsonType": "array"}


def document_validator(
    required: dict[str, dict[str, Any]], *, optional: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a collection's validator: a document must have each field of `required`, valid against its schema.

    A field of `optional` may be missing.
    """
    properties = {**required, **(optional or {})}
    return {"$jsonSchema": {"bsonType": "object", "required": [*required], "properties": properties}}
