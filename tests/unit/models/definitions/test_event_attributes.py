from typing import Any

import pytest

from models.definitions.event_attributes import JsonSchemaCheck

CUPS = {
    "type": "object",
    "properties": {
        "cups": {"type": "integer", "minimum": 1},
        "sizes": {"type": "array", "items": {"enum": ["S", "L"]}},
    },
    "required": ["cups"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("attributes", [{"cups": 1}, {"cups": 2, "sizes": ["S", "L"]}, {"cups": 2.0}])
def test_attributes_that_fit_have_no_fault(attributes: dict[str, Any]) -> None:
    assert JsonSchemaCheck(CUPS).fault(attributes) is None


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        ({}, "'cups' is a required property"),
        ({"cups": True}, "cups: True is not of type 'integer'"),
        ({"cups": 0}, "cups: 0 is less than the minimum of 1"),
        ({"cups": 1, "sizes": ["S", "XL"]}, "sizes.1: 'XL' is not one of ['S', 'L']"),
        ({"cups": 1, "milk": "oat"}, "Additional properties are not allowed ('milk' was unexpected)"),
        ({"cups": "one", "sizes": [1]}, "cups: 'one' is not of type 'integer'"),
    ],
)
def test_first_fault_has_its_place(attributes: dict[str, Any], fault: str) -> None:
    assert JsonSchemaCheck(CUPS).fault(attributes) == fault


def test_a_schema_may_refer_to_its_own_definitions() -> None:
    check = JsonSchemaCheck({"properties": {"cups": {"$ref": "#/$defs/count"}}, "$defs": {"count": {"minimum": 1}}})
    assert check.fault({"cups": 1}) is None
    assert check.fault({"cups": 0}) == "cups: 0 is less than the minimum of 1"


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("reference", ["#/$defs/missing", "#missing", "other.json", "https://example.org/schema.json"])
def test_a_reference_that_leads_nowhere_is_refused_and_never_fetched(reference: str, keyword: str) -> None:
    with pytest.raises(ValueError, match=r"does not resolve; write #/\$defs/NAME and define NAME under \$defs"):
        JsonSchemaCheck({"properties": {"cups": {"allOf": [{keyword: reference}]}}})


def test_a_property_may_be_called_ref() -> None:
    assert JsonSchemaCheck({"properties": {"$ref": {"type": "string"}}}).fault({"$ref": 1}) is not None


@pytest.mark.parametrize("schema", [{"type": "integr"}, {"properties": []}, {"properties": {"a": {"pattern": "("}}}])
def test_invalid_schema_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="invalid JSON Schema"):
        JsonSchemaCheck(schema)


def test_attributes_nested_without_end_are_a_fault_and_not_a_crash() -> None:
    tree: Any = []
    for _ in range(900):
        tree = [tree]
    check = JsonSchemaCheck(
        {"properties": {"tree": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}}}}
    )
    assert check.fault({"tree": tree}) == "nested too deeply to validate"
    assert check.fault({"tree": [[[]]]}) is None


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-02-28T10:00:00+01:00", "2026-02-28T10:00:00"),
        ("date-time", "2026-02-28T10:00:00Z", "2026-02-28"),
        ("date-time", "2026-02-28 10:00:00Z", "tomorrow"),
        ("email", "sam@example.org", "sam"),
        ("ipv4", "127.0.0.1", "1"),
        ("uuid", "01234567-89ab-cdef-0123-456789abcdef", "1"),
        ("regex", "^a", "("),
    ],
)
def test_a_format_is_checked(name: str, right: str, wrong: str) -> None:
    check = JsonSchemaCheck({"properties": {"value": {"format": name}}})
    assert check.fault({"value": right}) is None
    assert check.fault({"value": wrong}) == f"value: {wrong!r} is not a {name!r}"
    assert check.fault({"value": 5}) is None  # a format is for strings


@pytest.mark.parametrize(
    "place",
    [
        lambda schema: schema,
        lambda schema: {"properties": {"a": schema}},
        lambda schema: {"items": {"anyOf": [schema]}},
        lambda schema: {"$defs": {"format": {"patternProperties": {"^a": schema}}}},
        lambda schema: {"if": {"not": schema}},
    ],
)
@pytest.mark.parametrize("name", ["uri", "hostname", "dat"])
def test_a_format_that_would_be_ignored_is_refused_unless_it_is_stored(place: Any, name: str) -> None:
    schema = place({"format": name})
    with pytest.raises(ValueError, match=f"format '{name}' is not checked; use date, date-time, "):
        JsonSchemaCheck(schema)
    assert JsonSchemaCheck(schema, is_stored=True).fault({"a": "b"}) is None


def test_what_only_looks_like_a_keyword_is_no_format_and_no_reference() -> None:
    data = {"format": "dat", "$ref": "nowhere"}
    schema = {"properties": {"format": {"const": "dat"}, "b": {"enum": [data], "default": data, "const": data}}}
    assert JsonSchemaCheck(schema).fault({"format": "dat", "b": data}) is None


def test_a_reference_to_itself_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a \$ref leads back to itself"):
        JsonSchemaCheck({"$ref": "#"})
    with pytest.raises(ValueError, match=r"a \$ref leads back to itself"):
        JsonSchemaCheck({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}})
