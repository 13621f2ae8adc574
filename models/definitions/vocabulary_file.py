"""The sections of a programme file with a brand's own words: wallets, stores and topics."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from loyalty.kernel.period import EndOf
from loyalty.kernel.vocabulary import PLURAL_FORMS, Unit, Vocabulary, Wallet
from loyalty.model.programme import SpentPointsPolicy
from models.definitions.names_in_scope import LOCALES, Scope
from models.definitions.shared_shapes import Key, LocalizedText, Shape

Word = Annotated[str, StringConstraints(min_length=1, max_length=40)]
NamedKey = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ExpiryShape(Shape):
    """When points expire; never, without months and days."""

    months: int = Field(default=0, ge=0, le=1200)
    days: int = Field(default=0, ge=0, le=36500)
    end_of: EndOf | None = None


class WalletShape(Shape):
    """A kind of points: its name, the word for a number of them, and what becomes of them."""

    key: Key
    name: LocalizedText
    unit: dict[str, dict[str, Word]]
    expiry: ExpiryShape = ExpiryShape()
    spent_points: SpentPointsPolicy = SpentPointsPolicy.NEGATIVE

    @model_validator(mode="after")
    def _unit_has_its_forms(self) -> "WalletShape":
        for locale, forms in self.unit.items():
            if locale not in LOCALES:
                raise ValueError(f"unit has the unsupported locale {locale!r}; use {', '.join(LOCALES)}")
            unknown = next((form for form in forms if form not in PLURAL_FORMS), None)
            if unknown is not None:
                raise ValueError(f"unit has the unknown form {unknown!r}; use {', '.join(PLURAL_FORMS)}")
            if "other" not in forms:
                raise ValueError(f"unit needs the form other in {locale!r}, the word for most numbers; add it")
        return self


class NamedShape(Shape):
    """A key of the brand with its name for people."""

    key: NamedKey
    name: LocalizedText


class VocabularyShape(Shape):
    """The sections of a file with a brand's own words."""

    wallets: list[WalletShape] = Field(default=[], max_length=1)
    stores: list[NamedShape] = Field(default=[], max_length=10_000)
    topics: list[NamedShape] = Field(default=[], max_length=500)


def read_vocabulary(shape: VocabularyShape, scope: Scope) -> Vocabulary:
    """Return the words of a file; bad texts and repeated keys are added to `scope.faults`."""
    sections: dict[str, Sequence[NamedShape]] = {
        "stores": shape.stores,
        "topics": shape.topics,
    }
    for section, named in sections.items():
        scope.check_unique((section,), (one.key for one in named))
    names = {
        section: {one.key: scope.text((section, index, "name"), one.name) for index, one in enumerate(named)}
        for section, named in sections.items()
    }
    wallet = _wallet(shape.wallets[0], scope) if shape.wallets else None
    return Vocabulary(wallet, names["stores"], names["topics"])


def _wallet(shape: WalletShape, scope: Scope) -> Wallet:
    path = ("wallets", 0)
    if scope.locale not in shape.unit:
        scope.fault((*path, "unit"), f"has no words in the programme's default locale {scope.locale!r}; add them")
    forms = tuple((locale, tuple(words.items())) for locale, words in shape.unit.items())
    return Wallet(shape.key, scope.text((*path, "name"), shape.name), Unit(forms, scope.locale))
