"""Who and what the stories are about."""

from dataclasses import dataclass

NAMES = (
    "Amara", "Bruno", "Chloe", "Dario", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kavya", "Lena", "Mateo",
    "Nadia", "Omar", "Paula", "Quinn", "Rosa", "Samir", "Tilda", "Uma", "Viktor", "Wanda", "Yusuf",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that can be counted."""

    one: str
    many: str

    def __call__(self, count: int) -> str:
        """`1 apple`, `2 apples`."""
        return f"{count} {self.one if count == 1 else self.many}"


THINGS = tuple(
    Thing(one, many)
    for one, many in (
        ("apple", "apples"), ("marble", "marbles"), ("pencil", "pencils"), ("sticker", "stickers"), ("shell", "shells"),
        ("stamp", "stamps"), ("button", "buttons"), ("book", "books"), ("coin", "coins"), ("badge", "badges"),
        ("card", "cards"), ("peach", "peaches"), ("cherry", "cherries"), ("toy car", "toy cars"), ("bead", "beads"),
        ("balloon", "balloons"), ("crayon", "crayons"), ("postcard", "postcards"),
    )
)  # fmt: skip
CONTAINERS = tuple(
    Thing(one, many)
    for one, many in (("box", "boxes"), ("bag", "bags"), ("jar", "jars"), ("basket", "baskets"), ("tin", "tins"))
)
FOODS = tuple(
    Thing(one, many)
    for one, many in (
        ("muffin", "muffins"), ("sandwich", "sandwiches"), ("pancake", "pancakes"), ("cookie", "cookies"),
        ("bread roll", "bread rolls"), ("dumpling", "dumplings"),
    )
)  # fmt: skip
DOLLAR = Thing("dollar", "dollars")
PAGE = Thing("page", "pages")
SEAT = Thing("seat", "seats")
ROW = Thing("row", "rows")
BIRDS = tuple(Thing(one, one + "s") for one in ("sparrow", "crow", "pigeon", "gull", "magpie", "swallow"))
DAY = Thing("day", "days")
CHILD = Thing("child", "children")
TREE = Thing("tree", "trees")
