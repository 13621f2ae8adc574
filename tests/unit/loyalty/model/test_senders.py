"""Patterns of senders, and what references lead to."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.model.offer import purchase_reference
from loyalty.model.references.senders import (
    ReferenceFault,
    SenderRule,
    Senders,
    matches,
    open_reference,
    resolve,
    split_reference,
)

TEXT = st.text(alphabet="ab*/-%é", max_size=8)
TILLS = Senders((SenderRule("till-*", ("webshop", "till-*")), SenderRule("desk", ("*",))))


@dataclass(frozen=True)
class Found:
    sender: str
    member: str
    type: str = "purchase"


@property_settings(400)
@given(TEXT, TEXT)
def test_a_star_stands_for_any_characters(pattern: str, sender: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), sender, re.DOTALL) is not None
    assert matches(pattern, sender) is expected


def test_a_pattern_of_many_stars_is_matched_in_linear_time() -> None:
    assert not matches("*a" * 100 + "b", "a" * 200_000)


@pytest.mark.parametrize(
    ("sender", "other", "may"),
    [
        ("till-1", "till-2", True),
        ("till-1", "webshop", True),
        ("till-", "till-", True),
        ("webshop", "till-1", False),
        ("webshop", "webshop", True),
        ("desk", "anybody", True),
        ("desk-2", "anybody", False),
        ("TILL-1", "webshop", False),
        ("till-1", "webshop-2", False),
    ],
)
def test_a_sender_refers_to_itself_and_to_those_that_a_rule_names(sender: str, other: str, may: bool) -> None:
    assert TILLS.may_refer(sender, other) is may
    assert Senders().may_refer(sender, other) is (sender == other)


@property_settings(200)
@given(TEXT, TEXT, TEXT, TEXT)
def test_references_are_unambiguous(sender: str, key: str, other_sender: str, other_key: str) -> None:
    reference = purchase_reference(sender, key)
    assert split_reference(reference) == split_reference(open_reference(reference)) == (sender, key)
    named = TILLS.fits(reference, other_sender, other_key)
    assert named is ((sender, key) == (other_sender, other_key))
    opened = TILLS.fits(open_reference(reference), other_sender, other_key)
    assert opened is (key == other_key and TILLS.may_refer(sender, other_sender))
    other = purchase_reference(other_sender, other_key)
    for one, two in ((reference, other), (open_reference(reference), other), (reference, open_reference(other))):
        assert TILLS.overlap(one, two) is TILLS.overlap(two, one)


OWN, SHOP, TILL_2, PARTNER = (Found(sender, "m") for sender in ("till-1", "webshop", "till-2", "partner"))
VISIT, OTHERS, OTHERS_OWN = Found("till-1", "m", "visit"), Found("webshop", "o"), Found("till-1", "o")


@pytest.mark.parametrize(
    ("found", "result"),
    [
        ([], None),
        ([OWN], OWN),
        ([SHOP], SHOP),
        ([SHOP, OTHERS_OWN], SHOP),
        ([SHOP, PARTNER], SHOP),
        ([SHOP, VISIT], SHOP),
        ([OWN, SHOP], ReferenceFault.AMBIGUOUS),
        ([SHOP, TILL_2, PARTNER], ReferenceFault.AMBIGUOUS),
        ([PARTNER], ReferenceFault.REFUSED),
        ([VISIT], ReferenceFault.REFUSED),
        ([OTHERS], ReferenceFault.REFUSED),
        ([OTHERS_OWN], ReferenceFault.REFUSED),
        ([Found("partner", "o")], None),
        ([Found("webshop", "o", "visit")], None),
    ],
)
def test_a_reference_leads_to_one_purchase_to_none_or_nowhere(found: list[Found], result: object) -> None:
    assert resolve(found, "till-1", "m", TILLS) == result
    assert resolve(found[::-1], "till-1", "m", TILLS) == result
