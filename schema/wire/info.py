"""The `info` argument of resolvers: it holds our context, and there is no root value."""

import strawberry

from resolvers.core.context import Context

Info = strawberry.Info[Context, None]
