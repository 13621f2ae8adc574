"""The queries that a client sends to MongoDB."""

from pymongo.monitoring import CommandListener, CommandStartedEvent


class QueryLog(CommandListener):
    """Records the collection of each query, or a tuple of all collections of an aggregation with `$unionWith`."""

    def __init__(self) -> None:
        self.collections: list[str | tuple[str, ...]] = []

    def started(self, event: CommandStartedEvent) -> None:
        command = event.command
        if event.command_name == "find":
            self.collections.append(command["find"])
        elif event.command_name == "aggregate":
            others = [stage["$unionWith"]["coll"] for stage in command["pipeline"] if "$unionWith" in stage]
            self.collections.append((command["aggregate"], *others))
        elif event.command_name == "getMore":
            self.collections.append("getMore")

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...
