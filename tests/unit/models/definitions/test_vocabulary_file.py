import pytest

from loyalty.kernel.period import ExpiryPolicy
from loyalty.kernel.vocabulary import NO_VOCABULARY
from loyalty.model.programme import SpentPointsPolicy
from models.definitions.programme_file import InvalidProgramme, read_programme

SMALL = """\
programme: corner
name: The Corner
currency: EUR
locale: en
time_zone: Europe/Paris
tiers:
  - {key: base, name: Base, threshold: 0}
"""
WORDS = """\
wallets:
  - key: stars
    name: {en: Stars, fr: Étoiles}
    unit: {en: {one: star, other: stars}, fr: {one: étoile, other: étoiles}}
    expiry: {months: 6}
    spent_points: write_off
stores:
  - {key: "330", name: {en: Station Street, fr: Rue de la Gare}}
topics:
  - {key: "category:TEA", name: {en: Tea, fr: Thé}}
"""


def test_file_without_words_of_its_own_has_points() -> None:
    assert read_programme(SMALL).vocabulary == NO_VOCABULARY


def test_words_are_read_and_the_wallet_says_what_becomes_of_points() -> None:
    programme = read_programme(SMALL + WORDS)
    wallet = programme.vocabulary.wallet
    assert wallet is not None
    assert (wallet.key, wallet.name.in_locale("fr")) == ("stars", "Étoiles")
    assert wallet.unit.in_locale("fr-CH") == {"one": "étoile", "other": "étoiles"}
    assert wallet.unit.in_locale("ar") == {"one": "star", "other": "stars"}
    assert (programme.expiry, programme.spent_points_policy) == (ExpiryPolicy(6, 0, None), SpentPointsPolicy.WRITE_OFF)
    assert {key: name.in_locale("fr") for key, name in programme.vocabulary.stores.items()} == {"330": "Rue de la Gare"}
    assert {key: name.in_locale("en") for key, name in programme.vocabulary.topics.items()} == {"category:TEA": "Tea"}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (f"{WORDS}expiry: {{months: 1}}\n", "expiry belongs to the wallet"),
        (f"{WORDS}refunds: {{spent_points: negative}}\n", "spent_points belongs to the wallet"),
        (WORDS.replace("other: stars", "some: stars"), "unknown form 'some'"),
        (WORDS.replace("{one: star, other: stars}", "{one: star}"), "needs the form other"),
        (WORDS.replace("unit: {en:", "unit: {de:"), "unsupported locale 'de'"),
        (WORDS.replace("{en: {one: star, other: stars}, fr", "{fr"), "no words in the programme's default locale"),
        (WORDS.replace("expiry: {months: 6}", "expire: {months: 6}"), "expire"),
        (f'{WORDS}  - {{key: "category:TEA", name: Tea}}\n', "used twice"),
    ],
)
def test_faults_say_what_to_write(source: str, fault: str) -> None:
    with pytest.raises(InvalidProgramme) as raised:
        read_programme(SMALL + source)
    assert fault in str(raised.value)
