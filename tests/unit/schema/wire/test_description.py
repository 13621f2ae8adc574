from typing import Any

import pytest
import strawberry
import typer
from graphql import GraphQLSchema, build_schema

from gateway.cli import schema as command
from resolvers.core.actor import Role
from schema.build import executable_schema
from schema.wire.access import field, only, resolver
from schema.wire.description import describe, from_docstring, undescribed

UNDESCRIBED = build_schema(
    """
    directive @cost(of: Int) on FIELD_DEFINITION
    scalar Points
    interface Named { name: String }
    type Member implements Named { name: String points(in: Unit): Points }
    enum Unit { POINT MILE }
    input Key @oneOf { id: ID }
    union Found = Member
    type Query { member(by: Key!): Member found: Found }
    """
)


def test_every_element_of_the_served_schema_is_described() -> None:
    assert undescribed(executable_schema()) == []


def test_coordinates_of_every_kind_of_element_without_a_description() -> None:
    assert undescribed(UNDESCRIBED) == [
        "@cost",
        "@cost(of:)",
        "Found",
        "Key",
        "Key.id",
        "Member",
        "Member.name",
        "Member.points",
        "Member.points(in:)",
        "Named",
        "Named.name",
        "Points",
        "Query",
        "Query.found",
        "Query.member",
        "Query.member(by:)",
        "Unit",
        "Unit.MILE",
        "Unit.POINT",
    ]


def test_blank_description_counts_as_missing() -> None:
    assert undescribed(build_schema('"Reads." type Query { " " a: Int "A number." b: Int }')) == ["Query.a"]


def test_docstrings_describe_types_resolvers_and_input_arguments() -> None:
    @strawberry.input
    class Wish:
        """What the member
        wishes for.
        """

        item: str = strawberry.field(description="Its name.")

    @strawberry.type
    class Undocumented:
        points: int = field(only(Role.AGENT), "A number.")

    @strawberry.type
    class Query:
        """Everything that can be read.

        With a token.
        """

        @resolver(only(Role.AGENT))
        def wished(self, input: Wish) -> Undocumented:  # noqa: A002 - the name of the argument
            """The wish that came true."""
            raise NotImplementedError(input)

    schema: GraphQLSchema = strawberry.Schema(query=Query)._schema  # noqa: SLF001 - as schema.build does
    describe(schema)
    kinds: Any = schema.type_map
    assert kinds["Query"].description == "Everything that can be read. With a token."
    assert kinds["Query"].fields["wished"].description == "The wish that came true."
    assert kinds["Query"].fields["wished"].args["input"].description == "What the member wishes for."
    assert undescribed(schema) == ["Undocumented"]


def test_function_without_a_docstring_has_no_description() -> None:
    assert from_docstring(lambda: None) is None


def test_check_lists_what_has_no_description(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "undescribed", lambda _: ["Member.status", "Role.TILL"])
    with pytest.raises(typer.Exit) as stopped:
        command.schema(check_committed=True)
    assert stopped.value.exit_code == 1
    assert "no description: Member.status, Role.TILL; add one" in capsys.readouterr().err
