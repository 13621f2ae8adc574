"""Binds graphql-core's fields directly to our resolvers, without Strawberry's wrappers.

Strawberry builds an info object and converts every argument for each call, which took a fifth of a batch's time. Our
resolvers need only the context and the arguments. So graphql-core builds the inputs while it coerces them (`out_type`
and `out_name`), and any object with a `context` serves as `info`. How a field is resolved is stored in its extensions
(`DIRECT`) for the operation compiler.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from resolvers.core.context import Context
from schema.wire.access import guard_of, rules
from schema.wire.description import STRAWBERRY
from schema.wire.input_bounds import Check, check_fields, checks_of

__all__ = ["DIRECT", "STRAWBERRY", "Direct", "NotDirect", "resolve_directly"]

DIRECT = "direct"
Guard = Callable[[Context], None]


class NotDirect(TypeError):  # noqa: N818 - names what is wrong with the declaration
    """A resolver has parameters that a direct call cannot fill."""


@dataclass(frozen=True, slots=True)
class Direct:
    """How a field is resolved: by `function(source, [info], **arguments)`, or by the attribute `name` if that is None.

    `guard` raises if the actor may not use the field; None for the rule `REACHED`.
    """

    name: str
    function: Callable[..., Any] | None
    takes_info: bool
    guard: Guard | None


def resolve_directly(schema: GraphQLSchema) -> None:
    """Replace Strawberry's wrappers with our own functions, each behind its access rule."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            _bind_input(kind)
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
            for argument, declared in zip(
                definition.args.values(), definition.extensions[STRAWBERRY].arguments, strict=True
            ):
                argument.out_name = declared.python_name


def _bind_input(kind: GraphQLInputObjectType) -> None:
    """Make graphql-core build our input class from the values that it has coerced, and check `@oneOf` itself.

    Strawberry checks `@oneOf` in the `out_type` that this replaces, and does not set graphql-core's own flag.
    """
    declared = kind.extensions[STRAWBERRY]
    kind.is_one_of = declared.is_one_of
    for field, own in zip(kind.fields.values(), declared.fields, strict=True):
        field.out_name = own.python_name
    kind.out_type = partial(_built, declared.origin, checks_of(kind))  # type: ignore[method-assign]


def _built(origin: type, checks: list[Check], fields: dict[str, Any]) -> Any:
    check_fields(fields, checks)
    return origin(**fields)


def _direct(definition: GraphQLField, guard: Guard | None) -> Direct:
    declared = definition.extensions[STRAWBERRY]
    if declared.base_resolver is None:
        return Direct(declared.python_name, None, takes_info=False, guard=guard)
    function = declared.base_resolver.wrapped_func
    source, *rest = signature(function).parameters.values()
    takes_info = bool(rest) and rest[0].name == "info"
    arguments = {argument.python_name for argument in declared.arguments}
    own_arguments = rest[1:] if takes_info else rest
    if source.name != "self" or {parameter.name for parameter in own_arguments} != arguments:
        raise NotDirect(f"{declared.python_name} takes self, optionally info, and its arguments; no more")
    if any(parameter.kind is not Parameter.POSITIONAL_OR_KEYWORD for parameter in rest):
        raise NotDirect(f"{declared.python_name} takes positional-or-keyword arguments only")
    return Direct(declared.python_name, function, takes_info=takes_info, guard=guard)


def _resolver(direct: Direct) -> Callable[..., Any]:
    """Return the function that graphql-core calls for a field."""
    call, guard = _call(direct), direct.guard
    if guard is None:
        return call
    if iscoroutinefunction(direct.function):
        # The guard raises when the coroutine is awaited, so that the sibling fields still run.
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
