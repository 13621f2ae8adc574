from typing import Any

import bson
from bson import CodecOptions
from hypothesis import given
from hypothesis import strategies as st
from support.life import Life, lives, profiles, thorough
from support.programme import read

from loyalty.ledger import Record, record_hash
from loyalty.member import Profile
from models.codec import (
    Document,
    counted_event_of,
    event_fields,
    member_document,
    member_of,
    profile_document,
    profile_of,
    record_document,
    record_id,
    record_of,
    without_none,
)

PROGRAMMES = [read("grocer"), read("coffee")]
ANY_LIFE = st.sampled_from(PROGRAMMES).flatmap(lives)


def stored(document: Document) -> dict[str, Any]:
    """Return what comes back of a document that MongoDB kept."""
    options: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
    return bson.decode(bson.encode(document), options)


@thorough(20)
@given(ANY_LIFE)
def test_a_member_comes_back_as_it_was(life: Life) -> None:
    for decision in life.decisions:
        assert member_of(stored(member_document(decision.member))) == decision.member


@thorough(20)
@given(ANY_LIFE)
def test_a_record_comes_back_as_it_was_and_matches_its_hash(life: Life) -> None:
    for record in life.records:
        document = stored(record_document(record, life.programme.key))
        assert document["_id"] == record_id("member", record.version)
        back: Record = record_of(document)
        assert back == record
        assert record_hash(back) == record.hash


@thorough(20)
@given(ANY_LIFE)
def test_a_counted_event_comes_back_as_it_was(life: Life) -> None:
    for key, counted in life.counted.items():
        about = {"key": key, "sender": "till", "member": "member", "version": counted.version}
        assert counted_event_of(stored({**about, **event_fields(counted)})) == counted


@thorough(20)
@given(profiles())
def test_a_profile_comes_back_as_it_was(profile: Profile) -> None:
    assert profile_of(stored(profile_document(profile))) == profile


def test_what_is_not_known_is_not_stored() -> None:
    assert profile_document(Profile("en", last_name="Lee")) == {"locale": "en", "last_name": "Lee"}
    assert without_none({"a": None, "b": 0, "c": "", "d": []}) == {"b": 0, "c": "", "d": []}
