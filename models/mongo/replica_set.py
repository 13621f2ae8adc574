"""The check that a MongoDB server supports transactions and change streams."""

from collections.abc import Mapping


class NotAReplicaSet(Exception):  # noqa: N818 - named after what is the case
    """The MongoDB server in use is neither a member of a replica set nor a mongos."""


def require_replica_set(hello: Mapping[str, object]) -> None:
    """Raise NotAReplicaSet unless `hello`, a server's answer to that command, is a set's or a mongos's."""
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return
    raise NotAReplicaSet(
        "This MongoDB server is not a member of a replica set, and Carillon needs one: transactions and change "
        "streams work nowhere else. Start mongod with --replSet and run rs.initiate() once, or use docker "
        "compose, or let `carillon up` start a server of its own."
    )
