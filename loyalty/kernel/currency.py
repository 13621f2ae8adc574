"""Currencies: the codes of ISO 4217 that people pay in, without funds, metals and test codes; their minor units."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

# Includes withdrawn codes of recent years, because stored programmes may still have them.
CURRENCIES = frozenset(
    [
        "AED",
        "AFN",
        "ALL",
        "AMD",
        "ANG",
        "AOA",
        "ARS",
        "AUD",
        "AWG",
        "AZN",
        "BAM",
        "BBD",
        "BDT",
        "BGN",
        "BHD",
        "BIF",
        "BMD",
        "BND",
        "BOB",
        "BRL",
        "BSD",
        "BTN",
        "BWP",
        "BYN",
        "BZD",
        "CAD",
        "CDF",
        "CHF",
        "CLP",
        "CNY",
        "COP",
        "CRC",
        "CUC",
        "CUP",
        "CVE",
        "CZK",
        "DJF",
        "DKK",
        "DOP",
        "DZD",
        "EGP",
        "ERN",
        "ETB",
        "EUR",
        "FJD",
        "FKP",
        "GBP",
        "GEL",
        "GHS",
        "GIP",
        "GMD",
        "GNF",
        "GTQ",
        "GYD",
        "HKD",
        "HNL",
        "HRK",
        "HTG",
        "HUF",
        "IDR",
        "ILS",
        "INR",
        "IQD",
        "IRR",
        "ISK",
        "JMD",
        "JOD",
        "JPY",
        "KES",
        "KGS",
        "KHR",
        "KMF",
        "KPW",
        "KRW",
        "KWD",
        "KYD",
        "KZT",
        "LAK",
        "LBP",
        "LKR",
        "LRD",
        "LSL",
        "LYD",
        "MAD",
        "MDL",
        "MGA",
        "MKD",
        "MMK",
        "MNT",
        "MOP",
        "MRU",
        "MUR",
        "MVR",
        "MWK",
        "MXN",
        "MYR",
        "MZN",
        "NAD",
        "NGN",
        "NIO",
        "NOK",
        "NPR",
        "NZD",
        "OMR",
        "PAB",
        "PEN",
        "PGK",
        "PHP",
        "PKR",
        "PLN",
        "PYG",
        "QAR",
        "RON",
        "RSD",
        "RUB",
        "RWF",
        "SAR",
        "SBD",
        "SCR",
        "SDG",
        "SEK",
        "SGD",
        "SHP",
        "SLE",
        "SLL",
        "SOS",
        "SRD",
        "SSP",
        "STN",
        "SVC",
        "SYP",
        "SZL",
        "THB",
        "TJS",
        "TMT",
        "TND",
        "TOP",
        "TRY",
        "TTD",
        "TWD",
        "TZS",
        "UAH",
        "UGX",
        "USD",
        "UYU",
        "UZS",
        "VED",
        "VES",
        "VND",
        "VUV",
        "WST",
        "XAF",
        "XCD",
        "XCG",
        "XOF",
        "XPF",
        "YER",
        "ZAR",
        "ZMW",
        "ZWG",
        "ZWL",
    ]
)

# Decimals of the minor unit, from ISO 4217; every other currency has two.
_WITHOUT_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_WITH_THREE_DECIMALS = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])

# Decimals of a hundredth.
HUNDREDTHS = 2
# Of one use: ten times the largest budget, so that counters stay within 64 bits.
MONEY_COUNTED_MAX = Decimal(10**10)


def decimals_of(currency: str) -> int:
    """Return the number of decimals of a currency's minor unit: 2 for EUR, 0 for JPY, 3 for KWD."""
    if currency in _WITHOUT_DECIMALS:
        return 0
    return 3 if currency in _WITH_THREE_DECIMALS else 2


def minor_unit(currency: str) -> Decimal:
    """Return a currency's minor unit: 0.01 for EUR, 1 for JPY, 0.001 for KWD."""
    return Decimal(1).scaleb(-decimals_of(currency))


def fits_currency(money: Decimal, currency: str) -> bool:
    """Return whether an amount is a whole number of the currency's minor units."""
    return money == money.quantize(minor_unit(currency), ROUND_HALF_UP)


def budget_decimals_of(currency: str) -> int:
    """Return the decimals in which a new programme counts its budgets: hundredths, or thousandths if it has them."""
    return max(HUNDREDTHS, decimals_of(currency))


@dataclass(frozen=True, slots=True)
class BudgetUnit:
    """The unit in which a programme counts budgets of money: its currency, and the decimals of what is counted.

    It never changes, because counters are stored: programmes from before release 0.3.0 count hundredths.
    """

    currency: str
    decimals: int

    def count(self, money: Decimal) -> int:
        """Return money, rounded to the currency's minor unit, in this unit."""
        exact = min(money, MONEY_COUNTED_MAX).quantize(minor_unit(self.currency), ROUND_HALF_UP)
        return int(exact.scaleb(self.decimals).quantize(Decimal(1), ROUND_HALF_UP))
