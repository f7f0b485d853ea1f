"""What can go wrong."""


class UnknownItem(KeyError):
    """No item of this name was ever in store."""


class NotEnough(Exception):
    """Less is available than was asked for."""

    def __init__(self, item: str, wanted: int, available: int) -> None:
        super().__init__(f"{wanted} of {item} wanted, {available} available")
        self.item = item
        self.wanted = wanted
        self.available = available
