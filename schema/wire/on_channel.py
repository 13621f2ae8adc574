"""The argument by which a caller names the channel that it shows something on."""

from typing import Annotated

import strawberry

from schema.wire.enums import Channel

OnChannel = Annotated[
    Channel | None,
    strawberry.argument(
        description="Channel on which the result is shown, which decides what is available and how it is worded. Left "
        "out: the header `X-Carillon-Channel`, else the channel of the caller's role, else any channel."
    ),
]
