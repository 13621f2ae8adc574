import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.kernel import canonical
from loyalty.kernel.membership_number import number_from
from loyalty.rules.member_code import is_valid_proof, member_code, split_code

SECRET = b"a secret"
ABOUT = {"programme": "grocer", "offer": "own", "number": "4711223344"}


def test_a_members_code_is_read_back_as_it_was_made() -> None:
    code = member_code("OWN", **ABOUT, secret=SECRET)
    assert code.startswith("OWN-4711223344-")
    parts = split_code(canonical.code(code))
    assert parts is not None
    assert parts[:2] == ("OWN", "4711223344")
    assert len(parts[2]) == 8
    assert is_valid_proof(parts[2], **ABOUT, secret=SECRET)


def test_a_prefix_may_have_dashes() -> None:
    parts = split_code(canonical.code(member_code("BACK-TO-SCHOOL", **ABOUT, secret=SECRET)))
    assert parts is not None
    assert parts[0] == "BACKTOSCHOOL"


def test_digits_that_a_proof_cannot_have_are_misread_letters() -> None:
    assert split_code("OWN4711223344K7Q0X1A8") == ("OWN", "4711223344", "K7QOXIAB")


@pytest.mark.parametrize("name", ["programme", "offer", "number", "secret"])
def test_a_proof_is_of_one_programme_offer_number_and_secret(name: str) -> None:
    proof = member_code("OWN", **ABOUT, secret=SECRET).rsplit("-", maxsplit=1)[1]
    fields = {**ABOUT, name: "another"}
    secret = b"another" if fields.pop("secret", None) else SECRET
    assert not is_valid_proof(proof, **fields, secret=secret)


@pytest.mark.parametrize("proof", ["", "AAAAAAAA", "é", "\0"])
def test_a_made_up_proof_is_not_genuine(proof: str) -> None:
    assert not is_valid_proof(proof, **ABOUT, secret=SECRET)


@pytest.mark.parametrize(
    "code",
    ["", "OWN", "OWN4711223344", "FRESH5", "4711223344K7Q2X4AB", "OWN471122334XK7Q2X4AB", "OWN471122334٤K7Q2X4AB"],
)
def test_code_without_three_parts_is_no_member_code(code: str) -> None:
    assert split_code(code) is None


@given(numbers=st.sets(st.integers(0, 10**6), min_size=2, max_size=20))
@property_settings(50)
def test_no_two_members_have_one_code(numbers: set[int]) -> None:
    codes = {
        member_code("OWN", programme="grocer", offer="own", number=number_from(number), secret=SECRET)
        for number in numbers
    }
    assert len(codes) == len({number_from(number) for number in numbers})
