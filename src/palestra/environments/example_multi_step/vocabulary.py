"""Terms with their synonyms, and for each a question that is about the term without using its synonyms."""

from types import MappingProxyType
from typing import NamedTuple


class Entry(NamedTuple):
    question: str
    synonyms: tuple[str, ...]


VOCABULARY = MappingProxyType(
    {
        "harbour": Entry(
            "Where should the fishing boats lie tonight if a gale comes in?", ("port", "haven", "moorage")
        ),
        "bread": Entry("What can I bake from flour, water, salt and sourdough?", ("loaf", "bun", "baguette")),
        "hammer": Entry("What do I drive this nail into the wall with?", ("mallet", "gavel", "sledge")),
        "letter": Entry("What did people send by post before there was e-mail?", ("missive", "epistle", "dispatch")),
        "teacher": Entry("Who explained fractions to you at school?", ("tutor", "instructor", "educator")),
        "path": Entry("How do hikers find their way through the woods?", ("trail", "track", "footway")),
        "storm": Entry("Why were all the roofs torn off last night?", ("tempest", "squall", "hurricane")),
        "river": Entry("What carries the meltwater from the mountains to the sea?", ("stream", "brook", "creek")),
        "friend": Entry("Whom would you ring first with good news?", ("companion", "pal", "confidant")),
        "money": Entry("What do I need in my pocket to shop at the market?", ("cash", "currency", "funds")),
        "house": Entry("What does the architect draw for a family of four?", ("dwelling", "residence", "abode")),
        "doctor": Entry("Who should look at this swollen ankle?", ("physician", "medic", "surgeon")),
        "picture": Entry("What hangs in the golden frame above the sofa?", ("painting", "portrait", "illustration")),
        "thief": Entry("Who took the purse out of my bag on the tram?", ("burglar", "robber", "pickpocket")),
        "garment": Entry("What do tailors sew?", ("robe", "outfit", "apparel")),
        "forest": Entry("Where do oaks and beeches stand close together?", ("woodland", "grove", "thicket")),
        "hill": Entry("Where is the best place in this flat land to fly a kite?", ("mound", "knoll", "rise")),
        "song": Entry("What does the choir rehearse on Tuesdays?", ("tune", "ballad", "melody")),
        "meal": Entry("What shall we cook for the guests at noon?", ("lunch", "feast", "repast")),
        "error": Entry("Why does the sum at the bottom of my invoice come out wrong?", ("mistake", "slip", "blunder")),
        "ship": Entry("How did merchants bring spices across the ocean?", ("vessel", "galleon", "freighter")),
        "rope": Entry("What does a climber tie around the waist?", ("cord", "hawser", "cable")),
        "lamp": Entry("What lights the desk while you read at night?", ("lantern", "torch", "luminaire")),
        "king": Entry("Who wore the crown when the castle was built?", ("monarch", "sovereign", "ruler")),
        "child": Entry("Who is too young to see this film?", ("infant", "toddler", "youngster")),
        "machine": Entry("What in the factory folds the boxes by itself?", ("device", "apparatus", "mechanism")),
        "profit": Entry("What is left to the shop after all costs are paid?", ("gain", "earnings", "surplus")),
        "law": Entry("What does parliament vote on before a judge can apply it?", ("statute", "act", "decree")),
        "battle": Entry("What happened at Waterloo in 1815?", ("combat", "clash", "skirmish")),
        "stone": Entry("What did the mason lift onto the wall?", ("rock", "boulder", "pebble")),
        "garden": Entry("Where do the tomatoes behind your home grow?", ("allotment", "orchard", "plot")),
        "kettle": Entry("What do you fill with water to make tea?", ("boiler", "pot", "urn")),
        "door": Entry("What do you knock at before you go in?", ("gate", "portal", "entrance")),
        "field": Entry("Where does the farmer sow barley?", ("meadow", "pasture", "acre")),
        "village": Entry("What do you call forty cottages around a church?", ("hamlet", "settlement", "township")),
        "wage": Entry("What does an employee receive on the last day of the month?", ("salary", "pay", "stipend")),
        "secret": Entry("What must you never tell anyone?", ("mystery", "enigma", "confidence")),
        "guard": Entry("Who watches the museum after closing time?", ("sentry", "warden", "watchman")),
        "smell": Entry("What tells you from the street that the bakery is open?", ("aroma", "fragrance", "odour")),
        "joke": Entry("What made the whole table laugh?", ("jest", "gag", "quip")),
        "plan": Entry("What should we agree on before we start to renovate?", ("scheme", "blueprint", "strategy")),
        "box": Entry("What do I pack the books in when I move?", ("crate", "carton", "chest")),
        "fear": Entry("What do you feel when you look down from a high tower?", ("dread", "terror", "fright")),
        "gift": Entry("What do you bring along to a birthday?", ("present", "donation", "keepsake")),
    }
)
