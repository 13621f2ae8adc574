"""Checks that a MongoDB server supports transactions and change streams."""

from collections.abc import Mapping


class NotAReplicaSet(Exception):  # noqa: N818 - named after the condition
    """The MongoDB server in use is neither a member of a replica set nor a mongos."""


def require_replica_set(hello: Mapping[str, object]) -> None:
    """Raise NotAReplicaSet unless `hello`, the reply to that command, comes from a replica set or a mongos."""
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return
    raise NotAReplicaSet(
        "This MongoDB server is not a member of a replica set, and Carillon needs one: for transactions and change "
        "streams. Start mongod with --replSet and run rs.initiate() once, or use docker compose, or let "
        "`carillon up` start its own server."
    )
