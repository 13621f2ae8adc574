"""What is asked of MongoDB."""

from pymongo.monitoring import CommandListener, CommandStartedEvent


class Queries(CommandListener):
    """Notes the collection of each query; of one that is in several, all of them."""

    def __init__(self) -> None:
        self.asked: list[str | tuple[str, ...]] = []

    def started(self, event: CommandStartedEvent) -> None:
        command = event.command
        if event.command_name == "find":
            self.asked.append(command["find"])
        elif event.command_name == "aggregate":
            others = [stage["$unionWith"]["coll"] for stage in command["pipeline"] if "$unionWith" in stage]
            self.asked.append((command["aggregate"], *others))
        elif event.command_name == "getMore":
            self.asked.append("getMore")

    def succeeded(self, event: object) -> None: ...

    def failed(self, event: object) -> None: ...
