"""What generated tasks are about: things with fields, each a way to draw a value and the schema it satisfies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value."""

    schema: Mapping[str, Any]
    draw: Callable[[Random], Any]
    is_flat: bool = True
    """It fits into a cell of a table."""


def text(*choices: str) -> Kind:
    return Kind({"type": "string"}, lambda random: random.choice(choices))


def choice(*choices: str) -> Kind:
    return Kind({"type": "string", "enum": list(choices)}, lambda random: random.choice(choices))


def whole(low: int, high: int) -> Kind:
    return Kind({"type": "integer", "minimum": low, "maximum": high}, lambda random: random.randint(low, high))


def number(low: int, high: int) -> Kind:
    return Kind(
        {"type": "number", "minimum": low, "maximum": high}, lambda random: random.randint(10 * low + 1, 10 * high) / 10
    )


def flag() -> Kind:
    return Kind({"type": "boolean"}, lambda random: random.random() < 0.5)


def code(letters: str) -> Kind:
    return Kind(
        {"type": "string", "pattern": f"^{letters}-[0-9]{{4}}$"},
        lambda random: f"{letters}-{random.randint(0, 9999):04}",
    )


def day() -> Kind:
    """A date as a text; YAML and TOML read one without quotes as something else."""
    return Kind(
        {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        lambda random: f"{random.randint(1990, 2029)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
    )


def several(*choices: str) -> Kind:
    return Kind(
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        lambda random: random.sample(choices, random.randint(2, 3)),
        is_flat=False,
    )


CITIES = ("Lisbon", "Oslo", "Quito", "Hanoi", "Tunis", "Zagreb", "Perth", "Bergen", "Osaka", "Lima")
NAMES = ("Ana Ruiz", "Ben Otto", "Chidi Eze", "Dana Levi", "Emre Kaya", "Fumi Sato", "Greta Holm", "Hugo Blanc")
COLOURS = ("red", "blue", "green", "black", "white", "silver")

THINGS: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        "library_book": {
            "title": text("The Salt Road", "Nine Lanterns", "Under the Pier", "A Map of Rain", "The Last Orchard"),
            "author": text(*NAMES),
            "page_count": whole(80, 900),
            "shelf_mark": code("LB"),
            "genre": choice("novel", "poetry", "history", "travel"),
            "is_on_loan": flag(),
            "acquired_on": day(),
            "keywords": several("sea", "trade", "winter", "family", "exile", "memory"),
        },
        "train_ride": {
            "departure_city": text(*CITIES),
            "arrival_city": text(*CITIES),
            "train_number": code("TR"),
            "distance_km": number(20, 900),
            "stop_count": whole(0, 25),
            "seat_class": choice("first", "second", "sleeper"),
            "has_bicycle_space": flag(),
            "travel_date": day(),
            "services": several("wireless network", "bistro car", "quiet zone", "power sockets", "luggage lockers"),
        },
        "garden_plant": {
            "common_name": text("sea holly", "lemon balm", "star jasmine", "dog rose", "wood sorrel", "black mulberry"),
            "height_cm": whole(5, 400),
            "flower_colour": choice(*COLOURS),
            "price": number(2, 60),
            "is_evergreen": flag(),
            "planted_on": day(),
            "label_code": code("GP"),
            "suits": several("shade", "clay soil", "pots", "hedges", "coastal gardens"),
        },
        "kitchen_recipe": {
            "dish": text("lentil soup", "plum cake", "baked trout", "mushroom rice", "spinach pie"),
            "servings": whole(1, 12),
            "minutes": whole(10, 180),
            "difficulty": choice("easy", "medium", "hard"),
            "is_vegetarian": flag(),
            "cost": number(1, 40),
            "cook": text(*NAMES),
            "tools": several("oven", "blender", "deep pan", "sieve", "whisk"),
        },
        "weather_station": {
            "station_code": code("WS"),
            "city": text(*CITIES),
            "temperature_celsius": number(1, 40),
            "humidity_percent": whole(5, 100),
            "sky": choice("clear", "cloudy", "overcast", "foggy"),
            "is_raining": flag(),
            "measured_on": day(),
            "sensors": several("barometer", "rain gauge", "anemometer", "thermometer", "light meter"),
        },
        "repair_order": {
            "order_code": code("RO"),
            "customer": text(*NAMES),
            "device": text("bicycle", "kettle", "radio", "sewing machine", "camera"),
            "hours": number(1, 20),
            "priority": choice("low", "normal", "urgent"),
            "is_under_warranty": flag(),
            "received_on": day(),
            "part_count": whole(1, 15),
            "steps": several("clean the case", "replace the cable", "oil the gears", "test the switch"),
        },
        "concert": {
            "headliner": text("The Tin Foxes", "Marta Quay", "Northern Choir", "Velvet Anchor", "Low Tide Trio"),
            "venue": text("Harbour Hall", "Old Mill", "Glass House", "Station Cellar"),
            "seats": whole(50, 5000),
            "ticket_price": number(5, 120),
            "style": choice("jazz", "folk", "opera", "rock"),
            "is_sold_out": flag(),
            "takes_place_on": day(),
            "supporting_acts": several("Pale Kites", "Ola Brandt", "The Seventh Bell", "Copper Wren"),
        },
    }
)
"""Names of things and of their fields; no field has the name of a thing."""
