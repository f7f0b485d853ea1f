"""What generated tasks ask for, and the words that their constraints name."""

from types import MappingProxyType

REQUESTS = (
    "Write a short letter to a neighbour about {}.",
    "Explain to a beginner what matters about {}.",
    "Describe {} as you would to a child.",
    "Write a diary entry that mentions {}.",
    "Give advice to somebody who worries about {}.",
    "Write a speech for a small village on {}.",
    "Tell a story in which {} plays a part.",
    "Write a notice for a library on {}.",
    "Report for a school newspaper on {}.",
    "Compare what two old friends might think about {}.",
    "Write an advertisement that has to do with {}.",
    "Say what people get wrong about {}.",
)
TOPICS = (
    "a bridge that sways in the wind",
    "keeping bees on a roof",
    "the first bus of the morning",
    "a clock that runs backwards",
    "baking bread at altitude",
    "learning to whistle late in life",
    "a museum of lost umbrellas",
    "repairing a wooden boat",
    "the smell of rain on stone",
    "a choir without a conductor",
    "growing tomatoes in winter",
    "an island without a harbour master",
    "folding a map the right way",
    "night trains across the mountains",
    "a goat that follows the postman",
    "sharing one kitchen among six people",
    "old lighthouses",
    "the noise of a new playground",
    "planting trees along a canal",
    "a chess game played by post",
    "sleeping in a tent in autumn",
    "cats in bookshops",
    "the last day of a holiday",
    "painting a fence in one day",
    "borrowing tools from a stranger",
    "a river that changed its course",
    "wearing glasses for the first time",
    "market days in the rain",
    "the taste of well water",
    "teaching a parrot good manners",
    "a bakery that opens at midnight",
    "skating on a frozen pond",
    "moving house with a piano",
    "the rules of a family card game",
    "a garden on a balcony",
    "listening to the radio alone",
    "collecting stamps from islands",
    "walking home without a phone",
    "making soup for forty guests",
    "a town that has no street names",
)
KEYWORDS = (
    "lantern", "compass", "velvet", "copper", "orchid", "thunder", "marble", "pepper", "saddle", "anchor", "ribbon",
    "walnut", "feather", "kettle", "pillow", "ladder", "button", "candle", "barrel", "blanket",
)  # fmt: skip
FORBIDDEN = (
    "tomorrow", "always", "money", "famous", "perfect", "simply", "history", "problem", "modern", "journey", "secret",
    "computer", "summer", "expert", "magic", "nature",
)  # fmt: skip
RARE_LETTERS = ("q", "z", "x", "j")
FIRST_WORDS = ("Yesterday", "Nobody", "Perhaps", "Listen", "Somewhere", "Usually", "Between", "Honestly")
LAST_WORDS = ("farewell", "horizon", "silence", "daylight", "together", "harvest", "homeward", "morning")
END_PHRASES = (
    "That is all I know.",
    "Ask me again next week.",
    "The rest is up to you.",
    "So much for today.",
    "Let us leave it there.",
)
SECTION_WORDS = ("Section", "Part", "Chapter", "Step")
PHRASES = (
    "the old miller counts seven grey sacks",
    "a patient gardener waters every young tree",
    "two tired sailors mend one torn net",
    "my quiet uncle feeds nine hungry ducks",
)
LANGUAGES = MappingProxyType(
    {"de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pl": "Polish", "ru": "Russian"}
)
ANSWERS = ("yes / no / unsure", "agree / disagree", "often / sometimes / never", "red / green / blue")
