"""The outermost layers of the application: the dispatch of requests, and the header that every answer has."""

from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.transports.http import NOSNIFF, GraphQLHttp


class Front:
    """Dispatches GraphQL requests and sockets directly to their endpoints, everything else to Starlette's routes.

    A path with one slash too many at its end is answered like the path without it. Starlette would redirect to an
    absolute URL, whose host is that of the request's Host header, which anybody can set.
    """

    def __init__(self, routed: Starlette) -> None:
        routed.router.redirect_slashes = False
        self._routed = nosniff(routed)
        self._http: ASGIApp = self._routed
        self._websocket: ASGIApp = routed
        self._slashed: dict[str, str] = {}

    def serve(self, *, http: ASGIApp, websocket: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """Set the endpoints of GraphQL, and the routes that also answer with a slash at the end of their path."""
        self._http, self._websocket = http, websocket
        paths = {"/graphql", *(route.path for route in routes if isinstance(route, Route | WebSocketRoute))}
        self._slashed = {f"{path}/": path for path in paths if not path.endswith("/") and f"{path}/" not in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. Starlette's layers would stay in memory for as long as a socket is open."""
        endpoint: ASGIApp = self._routed
        path = scope.get("path", "")
        if path in self._slashed:
            path = self._slashed[path]
            scope = {**scope, "path": path, "raw_path": path.encode()}
        if scope["type"] == "http" and path == "/graphql" and scope["method"] in GraphQLHttp.METHODS:
            endpoint = self._http
        elif scope["type"] == "websocket" and path == "/graphql":
            endpoint = self._websocket
        await endpoint(scope, receive, send)


def nosniff(app: ASGIApp) -> ASGIApp:
    """Return an application whose HTTP answers all forbid browsers to guess another content type."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", [])
                if NOSNIFF not in headers:
                    message = {**message, "headers": [*headers, NOSNIFF]}
            await send(message)

        await app(scope, receive, sent)

    return served
