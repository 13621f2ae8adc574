"""The schema, built once: types from Strawberry, rights in front of resolvers, the committed text beside it."""

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
from schema.wire.resolver_binding import resolve_directly
from schema.wire.scalars import SCALARS, BigInt

SDL_FILE = Path(__file__).parent / "schema.graphql"
RIGHTS_FILE = Path(__file__).parents[1] / "docs" / "rights.md"


@cache
def strawberry_schema() -> strawberry.Schema:
    """Return Strawberry's schema."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        # BigInt is in the contract, and no field of its core has it yet.
        types=[Member, LedgerEntry, Offer, Reward, Order, BigInt],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=False),
    )


@cache
def executable_schema() -> GraphQLSchema:
    """Return graphql-core's schema with the rights in force; it is what every transport executes.

    Raises:
        AccessUndeclared: a field has no access rule.
        NotDirect: a resolver cannot be called as they all are.
    """
    schema: GraphQLSchema = strawberry_schema()._schema  # noqa: SLF001 - Strawberry keeps graphql-core's schema there
    resolve_directly(schema)
    return schema


def sdl() -> str:
    """Return the served schema as text."""
    return strawberry_schema().as_str().rstrip() + "\n"
