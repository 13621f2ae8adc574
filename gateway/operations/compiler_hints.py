"""The compiler hints of our schema: how its fields are resolved, and of which class its objects are."""

from functools import cache
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema

from gateway.operations.compiler import HINT, Attribute, Instances, Method, Unchanged
from schema.build import executable_schema
from schema.wire.resolver_binding import DIRECT, STRAWBERRY, Direct

CACHE_ATTRIBUTE = "cached"
"""The attribute of immutable objects in which parts of answers are cached, because many answers share the object."""


@cache
def compilable_schema() -> GraphQLSchema:
    """Return the served schema, with the hints of all its fields and types."""
    schema = executable_schema()
    schema.type_map["DateTime"].extensions[HINT] = Unchanged(str)  # as it is stored
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
            continue
        python_class = kind.extensions[STRAWBERRY].origin
        kind.extensions[HINT] = Instances(
            python_class, CACHE_ATTRIBUTE if CACHE_ATTRIBUTE in python_class.__annotations__ else None
        )
        for definition in kind.fields.values():
            direct: Direct = definition.extensions[DIRECT]
            if kind is schema.subscription_type:
                definition.extensions[HINT] = Method(_event)
            elif direct.function is None:
                definition.extensions[HINT] = Attribute(direct.name, direct.guard)
            else:
                definition.extensions[HINT] = Method(
                    direct.function, takes_execution=direct.takes_info, guard=direct.guard
                )
    return schema


def _event(event: Any, **_arguments: Any) -> Any:
    """Return the value of a subscription's root field, which is the event itself."""
    return event
