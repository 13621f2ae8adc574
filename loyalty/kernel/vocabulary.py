"""A brand's own words: what its points are called, and the names of its stores and topics."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.kernel.text import Text, language_of

# The grammar of a language has some of these forms for a counted word; `other` always exists.
PLURAL_FORMS = ("zero", "one", "two", "few", "many", "other")


@dataclass(frozen=True, slots=True)
class Unit:
    """The word for a number of points: by locale, its forms by plural category. Hashable, so that texts are cached."""

    forms: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    default: str

    def in_locale(self, locale: str) -> dict[str, str]:
        """Return the forms in a locale, else in its language, else in the programme's locale."""
        known = dict(self.forms)
        found = next((known[tag] for tag in (locale, language_of(locale)) if tag in known), known[self.default])
        return dict(found)


@dataclass(frozen=True, slots=True)
class Wallet:
    """The points of a programme under its own name, such as stars."""

    key: str
    name: Text
    unit: Unit


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A brand's words by key; a topic's key is that of preferences, such as `category:TEA`."""

    wallet: Wallet | None = None
    stores: Mapping[str, Text] = field(default_factory=dict)
    topics: Mapping[str, Text] = field(default_factory=dict)

    @property
    def unit(self) -> Unit | None:
        """The word for its points; None for `points` themselves."""
        return self.wallet.unit if self.wallet is not None else None


NO_VOCABULARY = Vocabulary()
