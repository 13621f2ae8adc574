"""Tests that need a browser or Node are skipped where it is missing, and fail where a change is judged."""

import os


def browser_is_required() -> bool:
    """Say whether tests of the clients and in a browser have to run."""
    return os.environ.get("CARILLON_REQUIRE_BROWSER") == "1" or os.environ.get("CI", "").lower() in {"1", "true"}
