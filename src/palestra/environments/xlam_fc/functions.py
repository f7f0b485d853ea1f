"""What generated requests are about: actions on subjects, which have parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function."""

    schema: Mapping[str, Any]
    draw: Callable[[Random], Any]
    description: str
    default: Any = None
    """What is assumed if it is left out; None if it may not be left out."""


def word(description: str, *choices: str, default: str | None = None) -> Parameter:
    return Parameter({"type": "string"}, lambda random: random.choice(choices), description, default)


def one_of(description: str, *choices: str, default: str | None = None) -> Parameter:
    schema = {"type": "string", "enum": list(choices)}
    return Parameter(schema, lambda random: random.choice(choices), description, default)


def whole(description: str, low: int, high: int, default: int | None = None) -> Parameter:
    return Parameter({"type": "integer"}, lambda random: random.randint(low, high), description, default)


def amount(description: str, low: int, high: int) -> Parameter:
    return Parameter({"type": "number"}, lambda random: random.randint(10 * low + 1, 10 * high) / 10, description)


def switch(description: str, default: bool) -> Parameter:
    return Parameter({"type": "boolean"}, lambda random: random.random() < 0.5, description, default)


def several(description: str, *choices: str) -> Parameter:
    schema = {"type": "array", "items": {"type": "string"}}
    return Parameter(schema, lambda random: random.sample(choices, random.randint(1, 3)), description)


TOWNS = ("Dover", "Tarragona", "Izmir", "Bruges", "Gdansk", "Split", "Cork", "Porto")
PEOPLE = ("Amara", "Bjorn", "Chiyo", "Dragan", "Elif", "Farid", "Ines", "Jonas")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

ACTIONS = ("find", "list", "count", "compare", "export", "archive", "summarize", "schedule")

SUBJECTS: Mapping[str, Mapping[str, Parameter]] = MappingProxyType(
    {
        "ferry_crossings": {
            "from_port": word("Port of departure.", *TOWNS),
            "to_port": word("Port of arrival.", *TOWNS),
            "weekday": one_of("Day of the week.", *DAYS),
            "passengers": whole("How many people travel.", 2, 9, default=1),
            "with_car": switch("Whether a car is taken along.", default=False),
        },
        "museum_exhibits": {
            "hall": word("The hall's name.", "Amber", "Basalt", "Cedar", "Delta"),
            "century": whole("Century of origin.", 12, 21),
            "materials": several("Materials to look for.", "bronze", "clay", "glass", "ivory", "silk"),
            "limit": whole("Most entries to give.", 5, 40, default=10),
        },
        "plant_deliveries": {
            "nursery": word("Name of the nursery.", "Greenhill", "Mossbank", "Larkfield"),
            "species": several("Species ordered.", "fern", "maple", "iris", "thyme", "heather"),
            "budget": amount("Most to spend, in euros.", 10, 400),
            "weekday": one_of("Day of delivery.", *DAYS),
            "is_gift": switch("Whether a card comes with it.", default=False),
        },
        "choir_rehearsals": {
            "conductor": word("Who conducts.", *PEOPLE),
            "weekday": one_of("Day of the week.", *DAYS),
            "start_hour": whole("Hour of the day, 0 to 23.", 8, 21),
            "voices": several("Voices that take part.", "soprano", "alto", "tenor", "bass"),
        },
        "river_levels": {
            "town": word("Where the gauge stands.", *TOWNS),
            "threshold_m": amount("Level in metres above which it counts.", 1, 9),
            "days_back": whole("How many days to look back.", 2, 60, default=7),
            "unit": one_of("Unit of the answer.", "feet", "metres", default="metres"),
        },
        "bakery_orders": {
            "customer": word("Who ordered.", *PEOPLE),
            "item": one_of("What was ordered.", "rye bread", "plum cake", "pretzels", "croissants"),
            "quantity": whole("How many.", 2, 60),
            "is_paid": switch("Whether it has been paid.", default=True),
        },
        "bicycle_rentals": {
            "station": word("Name of the station.", "North Gate", "Mill Pond", "Old Market"),
            "renter": word("Who rents.", *PEOPLE),
            "hours": amount("How long, in hours.", 1, 12),
            "frame": one_of("Size of the frame.", "small", "medium", "large", default="medium"),
        },
        "radio_programmes": {
            "station": word("The radio station.", "Wave Nine", "Harbour FM", "Radio Tern"),
            "weekday": one_of("Day of the week.", *DAYS),
            "genres": several("Kinds of programme.", "news", "drama", "jazz", "science", "sport"),
            "include_repeats": switch("Whether repeats count.", default=True),
        },
        "telescope_bookings": {
            "observer": word("Who observes.", *PEOPLE),
            "target": word("What is observed.", "Vega", "Saturn", "the Crab Nebula", "Mira"),
            "exposure_s": whole("Exposure in seconds.", 10, 900),
            "filter": one_of("Colour filter.", "red", "green", "blue", "clear", default="clear"),
        },
    }
)
