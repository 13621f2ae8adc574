"""The schema, built once from Strawberry's types, with its descriptions and access rules."""

from functools import cache
from pathlib import Path

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from schema.mutation import Mutation
from schema.query import Query
from schema.subscription import Subscription
from schema.types.ledger import LedgerEntry
from schema.types.member import Member
from schema.types.offer import Offer
from schema.types.order import Order
from schema.types.reward import Reward
from schema.wire.description import describe
from schema.wire.resolver_binding import resolve_directly
from schema.wire.scalars import SCALARS, BigInt

SDL_FILE = Path(__file__).parent / "schema.graphql"
RIGHTS_FILE = Path(__file__).parents[1] / "docs" / "rights.md"


@cache
def strawberry_schema() -> strawberry.Schema:
    """Return Strawberry's schema, described."""
    built = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        # The contract names BigInt, and no field has it yet.
        types=[Member, LedgerEntry, Offer, Reward, Order, BigInt],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=False),
    )
    describe(built._schema)  # noqa: SLF001 - Strawberry keeps graphql-core's schema there
    return built


@cache
def executable_schema() -> GraphQLSchema:
    """Return graphql-core's schema with the access rules in force, which every transport executes.

    Raises:
        AccessUndeclared: a field has no access rule.
        NotDirect: a resolver has parameters that a direct call cannot fill.
    """
    schema: GraphQLSchema = strawberry_schema()._schema  # noqa: SLF001 - Strawberry keeps graphql-core's schema there
    resolve_directly(schema)
    return schema


def sdl() -> str:
    """Return the served schema as text (SDL)."""
    return strawberry_schema().as_str().rstrip() + "\n"
