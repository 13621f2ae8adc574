"""Resolvers called directly: graphql-core's fields call our functions, without what Strawberry puts between.

Strawberry makes an info object and converts every argument for each call, which took a fifth of a batch's time. Our
resolvers want the context and the arguments and nothing else. So inputs are made while graphql-core coerces them (its
`out_type` and `out_name`), and each function gets whatever has a `context` for its info. What was found out of a field
is kept in its extensions, for those who can do still better.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from resolvers.core.context import Context
from schema.wire.access import guard_of, rules

DIRECT = "direct"
STRAWBERRY = "strawberry-definition"
Guard = Callable[[Context], None]


class NotDirect(TypeError):  # noqa: N818 - told to whoever writes a resolver
    """A resolver with parameters that nothing here would fill."""


@dataclass(frozen=True, slots=True)
class Direct:
    """How a field is resolved: by `function(source, [info], **arguments)`, or from the attribute `name`.

    `guard` raises where the actor may not use the field; None where everybody may who reached it.
    """

    name: str
    function: Callable[..., Any] | None
    takes_info: bool
    guard: Guard | None


def resolve_directly(schema: GraphQLSchema) -> None:
    """Put our own functions, with their rights in front of them, where Strawberry's wrappers are."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            _make_input(kind)
    for (type_name, field_name), access in rules(schema).items():
        kind = schema.type_map[type_name]
        if isinstance(kind, GraphQLObjectType):
            definition = kind.fields[field_name]
            direct = _direct(definition, guard_of(access, f"{type_name}.{field_name}"))
            definition.extensions[DIRECT] = direct
            if kind is schema.subscription_type:
                definition.subscribe = _resolver(direct)
            else:
                definition.resolve = _resolver(direct)
            for argument, told in zip(
                definition.args.values(), definition.extensions[STRAWBERRY].arguments, strict=True
            ):
                argument.out_name = told.python_name


def _make_input(kind: GraphQLInputObjectType) -> None:
    """Let graphql-core make our input of what it has coerced."""
    told = kind.extensions[STRAWBERRY]
    for field, own in zip(kind.fields.values(), told.fields, strict=True):
        field.out_name = own.python_name
    kind.out_type = partial(_made, told.origin)  # type: ignore[method-assign]


def _made(origin: type, fields: dict[str, Any]) -> Any:
    return origin(**fields)


def _direct(definition: GraphQLField, guard: Guard | None) -> Direct:
    told = definition.extensions[STRAWBERRY]
    if told.base_resolver is None:
        return Direct(told.python_name, None, takes_info=False, guard=guard)
    function = told.base_resolver.wrapped_func
    own, *rest = signature(function).parameters.values()
    takes_info = bool(rest) and rest[0].name == "info"
    arguments = {argument.python_name for argument in told.arguments}
    given = rest[1:] if takes_info else rest
    if own.name != "self" or {parameter.name for parameter in given} != arguments:
        raise NotDirect(f"{told.python_name} takes self, info where it wants it, and its arguments; no more")
    if any(parameter.kind is not Parameter.POSITIONAL_OR_KEYWORD for parameter in rest):
        raise NotDirect(f"{told.python_name} takes its arguments by name")
    return Direct(told.python_name, function, takes_info=takes_info, guard=guard)


def _resolver(direct: Direct) -> Callable[..., Any]:
    """Return what graphql-core calls for a field."""
    call, guard = _call(direct), direct.guard
    if guard is None:
        return call
    if iscoroutinefunction(direct.function):
        # What refuses a field that waits is told when it is waited for: its neighbours are executed as well.
        async def guarded_async(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            guard(info.context)
            return await call(source, info, **arguments)

        return guarded_async

    def guarded(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        guard(info.context)
        return call(source, info, **arguments)

    return guarded


def _call(direct: Direct) -> Callable[..., Any]:
    name, function = direct.name, direct.function
    if function is None:
        return lambda source, _info: getattr(source, name)
    if direct.takes_info:
        return function
    return lambda source, _info, **arguments: function(source, **arguments)
