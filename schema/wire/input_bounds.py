"""Bounds of every text, list and JSON value in an input, whatever it is for.

They are far above what any field needs. The limits of single fields are lower, and answered with a refusal that names
the field (`text_too_long`). A field that has none cannot be used to fill the database, the log or an answer.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson
from graphql import GraphQLInputObjectType, GraphQLList, GraphQLNonNull, get_named_type

from resolvers.core.operation_error import BadInput

TEXT_LENGTH_MAX = 1000
LIST_LENGTH_MAX = 5000
JSON_BYTES_MAX = 131_072
TEXTS = frozenset({"String", "ID"})

Check = tuple[str, str, Callable[[Any, str], None]]
"""A field's name in Python, its name for the caller, and its check."""


def check_text(value: Any, name: str) -> None:
    """Raise BadInput if a text is too long."""
    if value.__class__ is str and len(value) > TEXT_LENGTH_MAX:
        raise BadInput("input_text_long", name=name, most=TEXT_LENGTH_MAX)


def check_list(values: Any, name: str) -> None:
    """Raise BadInput if a list has too many items, or one of its texts is too long."""
    if values.__class__ is list:
        if len(values) > LIST_LENGTH_MAX:
            raise BadInput("input_list_long", name=name, most=LIST_LENGTH_MAX)
        for value in values:
            check_text(value, name)
    else:
        check_text(values, name)


def check_json(value: Any, name: str) -> None:
    """Raise BadInput if a JSON value is too large."""
    if value and value.__class__ in {str, list, dict} and len(orjson.dumps(value)) > JSON_BYTES_MAX:
        raise BadInput("input_json_large", name=name, most=JSON_BYTES_MAX)


def checks_of(kind: GraphQLInputObjectType) -> list[Check]:
    """Return the checks of an input's fields; the other fields need none."""
    checks: list[Check] = []
    for name, field in kind.fields.items():
        own = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        scalar = get_named_type(field.type).name
        check = (
            check_list
            if isinstance(own, GraphQLList)
            else check_text
            if scalar in TEXTS
            else check_json
            if scalar == "JSON"
            else None
        )
        if check is not None:
            checks.append((field.out_name or name, f"{kind.name}.{name}", check))
    return checks


def check_fields(values: dict[str, Any], checks: Iterable[Check]) -> None:
    """Check the values of an input, by their names in Python."""
    for name, shown, check in checks:
        if name in values:
            check(values[name], shown)
