"""What our schema tells the compiler of operations: how its fields are resolved, and of which class its objects are."""

from functools import cache
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema

from gateway.operations.compiler import KNOWN, AsItIs, Attribute, Instances, Method
from schema.build import executable_schema
from schema.wire.resolver_binding import DIRECT, STRAWBERRY, Direct

KEPT = "kept"
"""The attribute of an object that many answers share, and that never changes: parts of answers are kept in it."""


@cache
def compilable_schema() -> GraphQLSchema:
    """Return the schema that is served, with all that the compiler can be told."""
    schema = executable_schema()
    schema.type_map["DateTime"].extensions[KNOWN] = AsItIs(str)  # as it is stored
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
            continue
        python_class = kind.extensions[STRAWBERRY].origin
        kind.extensions[KNOWN] = Instances(python_class, KEPT if KEPT in python_class.__annotations__ else None)
        for definition in kind.fields.values():
            direct: Direct = definition.extensions[DIRECT]
            if kind is schema.subscription_type:
                definition.extensions[KNOWN] = Method(_event)
            elif direct.function is None:
                definition.extensions[KNOWN] = Attribute(direct.name, direct.guard)
            else:
                definition.extensions[KNOWN] = Method(
                    direct.function, takes_execution=direct.takes_info, guard=direct.guard
                )
    return schema


def _event(event: Any, **_arguments: Any) -> Any:
    """Return what a subscription tells: its event is the value of its field."""
    return event
