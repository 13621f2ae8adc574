"""The upper limit: a bare ASGI application that sends one text to every socket of a member when it changes.

No GraphQL, no access rights, no ordering, no bounds: it inserts the version from the change stream into a text of an
update's length. `python -m bench.peers.live_bare`.
"""

import asyncio
import base64
import os
from collections import defaultdict
from typing import Any

import orjson
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from bench.serving import serve

UPDATE = (
    '{"id":"1","type":"next","payload":{"data":{"memberChanged":{"version":%d,"member":{"status":{"tier":{"name":"Member"}},'
    '"points":{"available":12345}},"entries":[{"label":"Purchase","points":12,"balance":12345}],"resync":false}}}}'
)
_sends: defaultdict[str, list[Any]] = defaultdict(list)


async def _follow() -> None:
    client: AsyncMongoClient[Any] = AsyncMongoClient(os.environ["MONGODB_URL"], document_class=RawBSONDocument)
    members = client[os.environ["DATABASE"]]["members"]
    async with await members.watch([{"$match": {"operationType": {"$in": ["insert", "replace"]}}}]) as stream:
        async for change in stream:
            message = {"type": "websocket.send", "text": UPDATE % change["fullDocument"]["version"]}
            for send in _sends.get(change["documentKey"]["_id"], ()):
                await send(message)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Speak the part of graphql-transport-ws that the bench's client uses."""
    if scope["type"] == "lifespan":
        await receive()
        following = asyncio.create_task(_follow())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        following.cancel()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
    token = orjson.loads((await receive())["text"])["payload"]["Authorization"]
    body = token.split(".")[1]
    member = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["member"]
    await send({"type": "websocket.send", "text": '{"type":"connection_ack"}'})
    await receive()
    _sends[member].append(send)
    await send({"type": "websocket.send", "text": UPDATE % 1})
    while (await receive())["type"] != "websocket.disconnect":
        pass
    _sends[member].remove(send)


if __name__ == "__main__":
    serve(app)
