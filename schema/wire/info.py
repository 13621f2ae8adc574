"""What Strawberry passes to each resolver: our context, and no root value."""

import strawberry

from resolvers.core.context import Context

Info = strawberry.Info[Context, None]
