"""Rights, declared beside each field and denied by default.

A field whose rule is `REACHED` is open to whoever may reach the object it belongs to. Any other rule is checked each
time the field is asked for, on every transport. A field without a rule keeps the schema from being built. The table of
all fields and roles is generated from here (`carillon schema --rights`) and committed, so that a change shows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

import strawberry
from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema

from resolvers.actor import Role
from resolvers.context import Context
from resolvers.fault import Forbidden

ACCESS = "access"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a field: `roles`, or (None) whoever reached its object."""

    roles: frozenset[Role] | None

    def allows(self, role: Role) -> bool:
        """Say whether a role may use the field, once it is there."""
        return self.roles is None or role in self.roles


def only(*roles: Role) -> Access:
    """Return the rule that lets some roles in."""
    return Access(frozenset(roles))


REACHED = Access(None)
# Of the root types: open to anybody who reaches the API, a token or not.
PUBLIC = REACHED
EVERY_ROLE = only(*Role)
STAFF = only(Role.AGENT, Role.MANAGER)


def field(access: Access, *, description: str | None = None) -> Any:
    """Declare an attribute as a field, together with who may use it."""
    return strawberry.field(metadata={ACCESS: access}, description=description)


def resolver(access: Access, *, description: str | None = None) -> Callable[[F], F]:
    """Declare a method as a field, together with who may use it."""
    return cast("Callable[[F], F]", strawberry.field(metadata={ACCESS: access}, description=description))


def mutation(access: Access, *, description: str | None = None) -> Callable[[F], F]:
    """Declare a method as a mutation, together with who may use it."""
    return cast("Callable[[F], F]", strawberry.mutation(metadata={ACCESS: access}, description=description))


def subscription(access: Access, *, description: str | None = None) -> Callable[[F], F]:
    """Declare a method as a subscription, together with who may use it."""
    return cast("Callable[[F], F]", strawberry.subscription(metadata={ACCESS: access}, description=description))


class AccessUndeclared(TypeError):  # noqa: N818 - told to whoever adds a field
    """A field that no rule names; deny by default means that the schema is not built."""


def _access_of(type_name: str, field_name: str, definition: GraphQLField) -> Access:
    source = definition.extensions.get("strawberry-definition")
    access = getattr(source, "metadata", {}).get(ACCESS)
    if not isinstance(access, Access):
        raise AccessUndeclared(f"{type_name}.{field_name} has no access rule; declare it with schema.access.field")
    return access


def rules(schema: GraphQLSchema) -> dict[tuple[str, str], Access]:
    """Return the rule of every field of every object type, in the order of the schema's names."""
    return {
        (name, field_name): _access_of(name, field_name, definition)
        for name, kind in sorted(schema.type_map.items())
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
        for field_name, definition in sorted(kind.fields.items())
    }


def _check(access: Access, context: Context, name: str) -> None:
    actor = context.require_actor()
    if not access.allows(actor.role):
        raise Forbidden("field_forbidden", role=actor.role, field=name)


def _guarded(access: Access, name: str, resolve: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(resolve):

        @wraps(resolve)
        async def guarded_async(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
            _check(access, info.context, name)
            return await resolve(source, info, **arguments)

        return guarded_async

    @wraps(resolve)
    def guarded(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        _check(access, info.context, name)
        return resolve(source, info, **arguments)

    return guarded


def enforce(schema: GraphQLSchema) -> None:
    """Put each field's rule in front of its resolver; for a subscription, in front of its source.

    Raises:
        AccessUndeclared: a field has no rule, or nothing to put its rule in front of.
    """
    for (type_name, field_name), access in rules(schema).items():
        kind = schema.type_map[type_name]
        if access.roles is None or not isinstance(kind, GraphQLObjectType):
            continue
        definition = kind.fields[field_name]
        name = f"{type_name}.{field_name}"
        if kind is schema.subscription_type and definition.subscribe is not None:
            definition.subscribe = _guarded(access, name, definition.subscribe)
        elif definition.resolve is not None:
            definition.resolve = _guarded(access, name, definition.resolve)
        else:
            raise AccessUndeclared(f"{name} has no resolver to guard; what graphql-core resolves by itself is open")


RIGHTS_HEAD = """# Who may use which field

Generated by `carillon schema --rights`; `make check` fails when it is not what the code does. "yes" and "no" are
checked on the field itself; a dot is a field that is open to whoever reached its object. Whose data a role sees is
decided where members are found (`resolvers/member.py`): a member sees itself only, kiosk and till find by card, number
or id, and a kiosk sees personal fields masked.
"""


def rights_table(schema: GraphQLSchema) -> str:
    """Return the table of fields and roles, as Markdown."""
    head = ["field", *(role.value for role in Role)]
    lines = [
        RIGHTS_HEAD,
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
    ]
    for (type_name, field_name), access in rules(schema).items():
        marks = ["·" if access.roles is None else "yes" if role in access.roles else "no" for role in Role]
        lines.append("| " + " | ".join([f"{type_name}.{field_name}", *marks]) + " |")
    return "\n".join(lines) + "\n"
