"""A real browser for tests of pages, with every other host out of reach."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, async_playwright, expect

from gateway.config import CLIENTS_DIST

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# What is expected of a page is waited for: a busy machine is no fault of the page.
expect.set_options(timeout=15_000)


def is_required() -> bool:
    """Say whether tests in a browser have to run, as they do where a change is judged."""
    return os.environ.get("CARILLON_REQUIRE_BROWSER") == "1" or os.environ.get("CI", "").lower() in {"1", "true"}


def expect_browser(*pages: str) -> None:
    """Skip a test where there is no browser, or one of the `pages` is not built; fail it where it has to run."""
    missing = [f"the page {page} is not built (make clients)" for page in pages if not _is_built(page)]
    if CHROMIUM is None:
        missing.append("there is no Chromium (apt-get install chromium)")
    if not missing:
        return
    reason = f"THIS WAS NOT TESTED IN A BROWSER: {'; '.join(missing)}"
    if is_required():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _is_built(page: str) -> bool:
    return (CLIENTS_DIST / page / "index.html").is_file()


@asynccontextmanager
async def opened_browser(url: str) -> AsyncIterator[Browser]:
    """Give a browser that finds the host of `url`, and no other."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {urlsplit(url).hostname}",
            ],
        )
        try:
            yield browser
        finally:
            await browser.close()
