"""What is in store, what is promised and what it cost."""

from stockroom.errors import NotEnough, UnknownItem
from stockroom.reorder import Order, orders
from stockroom.room import Room

__all__ = ["NotEnough", "Order", "Room", "UnknownItem", "orders"]
