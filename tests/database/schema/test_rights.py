"""Rights: each guarded field queried by each role."""

from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLObjectType,
    execute,
    get_named_type,
    is_composite_type,
    is_required_argument,
    parse,
    subscribe,
)
from support.clients.resolver_client import ResolverClient
from support.rights import committed_rights

from loyalty.kernel.channel import Channel
from resolvers.core.actor import Role
from resolvers.core.context import Context
from resolvers.core.operation_error import Forbidden, Unauthenticated
from schema.build import executable_schema

# The path to each type with guarded fields, and the arguments of each field that requires some.
PATHS = {
    "Query": (),
    "Mutation": (),
    "Subscription": (),
    "Member": ("Query.member",),
    "Profile": ("Query.member", "Member.profile"),
    # A preview has entries although the member has none.
    "LedgerEntry": ("Mutation.previewEvent", "RecordEventPayload.entries"),
}
ARGUMENTS = {
    "Query.node": "(id: $id)",
    "Query.member": "(by: $by)",
    "Query.order": "(by: {id: $id})",
    "Mutation.enrol": "(input: {key: $key, channel: STORE})",
    "Mutation.recordEvent": "(input: $event)",
    "Mutation.recordEvents": "(input: [$event])",
    "Mutation.previewEvent": "(input: $event)",
    "Mutation.adjustPoints": '(input: {key: $key, member: $by, points: 1, reason: "a reason"})',
    "Mutation.activateOffer": "(input: {key: $key, member: $by, offer: $id})",
    "Mutation.redeemOffer": "(input: {key: $key, member: $by, offer: $id, channel: STORE})",
    "Mutation.releaseOffer": "(input: {key: $key, member: $by, offer: $id, purchaseKey: $key, channel: STORE})",
    "Mutation.decidePending": '(input: {key: $key, entry: $id, accept: true, reason: "seen"})',
    "Mutation.noteOffers": "(input: {key: $key, member: $by, seen: [$id]})",
    "Mutation.inviteDevice": '(input: {key: $key, name: "Entrance"})',
    "Mutation.revokeDevice": "(input: {key: $key, device: $id})",
    "Mutation.openSession": '(input: {key: $key, by: {card: "C-1"}})',
    "Mutation.confirmSession": '(input: {key: $key, digits: "000000"})',
    "Mutation.endSession": "(input: {key: $key})",
    "Mutation.setConsents": "(input: {key: $key, member: $by, consents: [{purpose: MARKETING, granted: true}]})",
    "Mutation.setPreferences": '(input: {key: $key, member: $by, topics: ["category:COFFEE"]})',
    "Mutation.updateProfile": '(input: {key: $key, member: $by, nickname: "Lu"})',
    "Mutation.addCard": '(input: {key: $key, member: $by, card: "C-2"})',
    "Mutation.removeCard": '(input: {key: $key, member: $by, card: "C-2"})',
    "Mutation.placeOrder": "(input: {key: $key, member: $by, reward: $id, channel: STORE})",
    "Mutation.cancelOrder": "(input: {key: $key, order: $id})",
    "Mutation.advanceOrder": "(input: {key: $key, order: $id, state: CONFIRMED})",
    "Mutation.redeemVoucher": '(input: {key: $key, code: "7K2M-0QZT-4H9D", channel: STORE})',
    "Mutation.hold": "(input: {key: $key, member: $by, reward: $id})",
    "Mutation.release": "(input: {key: $key, hold: $id})",
    "Mutation.saveCatalogueItem": "(input: {key: $key, kind: OFFER, definition: {}})",
    "Mutation.retireCatalogueItem": '(input: {key: $key, kind: OFFER, item: "nothing"})',
    "Subscription.memberChanged": "(by: $by)",
    "Subscription.contentChanged": '(key: "nothing")',
}
VARIABLES = {"id": "ID!", "by": "MemberKey!", "key": "String!", "event": "RecordEventInput!"}


def operation_for(name: str) -> str:
    """Return an operation that selects one field only."""
    type_name, _, field_name = name.partition(".")
    assert type_name in PATHS, f"{type_name} has a guarded field: add its path to PATHS"
    steps = [*PATHS[type_name], name]
    kind = executable_schema().type_map[type_name]
    assert isinstance(kind, GraphQLObjectType)
    field = kind.fields[field_name]
    if any(map(is_required_argument, field.args.values())):
        assert name in ARGUMENTS, f"add {name} to ARGUMENTS"
    inner = " { __typename }" if is_composite_type(get_named_type(field.type)) else ""
    for step in reversed(steps):
        inner = f" {{ {step.partition('.')[2]}{ARGUMENTS.get(step, '')}{inner} }}"
    used = [f"${variable}: {type_}" for variable, type_ in VARIABLES.items() if f"${variable}" in inner]
    root = steps[0].partition(".")[0]
    verb = root.lower() if root in {"Mutation", "Subscription"} else "query"
    return f"{verb} {'(' + ', '.join(used) + ')' if used else ''}{inner}"


def variables(resolver_client: ResolverClient, number: str) -> dict[str, Any]:
    """Return a value for every variable that an operation may have."""
    event = {
        "key": resolver_client.key(),
        "type": "purchase",
        "member": {"number": number},
        "occurredAt": resolver_client.clock().isoformat(),
        "channel": Channel.STORE.value,
        "purchase": {"total": "10.00", "currency": "USD"},
    }
    return {"id": "UHJvZ3JhbW1lOmdyb2Nlcg", "by": {"number": number}, "key": resolver_client.key(), "event": event}


async def faults_of(operation: str, context: Context, given: dict[str, Any]) -> list[Any]:
    """Run an operation; return the original exceptions of its errors."""
    document, schema = parse(operation), executable_schema()
    ask = subscribe if operation.startswith("subscription") else execute
    result: Any = ask(schema, document, context_value=context, variable_values=given)
    if not isinstance(result, ExecutionResult) and not hasattr(result, "__anext__"):
        result = await result
    if not isinstance(result, ExecutionResult):
        first = await anext(result)
        await result.aclose()
        result = first
    return [error.original_error for error in result.errors or ()]


async def test_rights_are_enforced_as_in_the_committed_table(resolver_client: ResolverClient) -> None:
    committed = {(name, role): mark == "yes" for name, role, mark in committed_rights() if mark != "·"}
    found = {}
    for name, role in committed:
        member = (await resolver_client.enrol()).snapshot.member
        context = resolver_client.context(role, member=member.id if role in {Role.MEMBER, Role.KIOSK} else None)
        faults = await faults_of(operation_for(name), context, variables(resolver_client, member.number))
        refused = [fault for fault in faults if isinstance(fault, Forbidden | Unauthenticated)]
        found[name, role] = not refused
        if refused:
            [fault] = refused
            assert (fault.reason, fault.params["role"]) == ("field_forbidden", role)
            assert fault.params["field"] in {name, *PATHS[name.partition(".")[0]]}
            unchanged = await resolver_client.services.reader.member("grocer", member.id)
            assert unchanged is not None
            assert unchanged.version == 1
    assert found == committed


async def test_without_authentication_every_guarded_field_is_refused(resolver_client: ResolverClient) -> None:
    member = (await resolver_client.enrol()).snapshot.member
    for name in sorted({name for name, _, mark in committed_rights() if mark != "·"}):
        faults = await faults_of(
            operation_for(name), Context(resolver_client.services, None), variables(resolver_client, member.number)
        )
        assert [type(fault) for fault in faults] == [Unauthenticated], name
