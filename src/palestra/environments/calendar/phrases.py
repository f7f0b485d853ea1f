"""What the users of generated conversations say."""

from types import MappingProxyType

EVENTS = (
    "Dentist", "Budget review", "Piano lesson", "Lunch with Ines", "Stand-up", "Yoga", "Call with the landlord",
    "Design critique", "Reading hour", "Bike repair", "Interview with Tomas", "Garden planning", "Tax papers",
    "Walk with the dog", "Team retrospective", "Grant proposal", "Haircut", "Parents' evening call", "Spanish class",
    "Server maintenance", "Coffee with Noor", "Board preparation", "Photo sorting", "Eye test", "Choir rehearsal",
    "Release planning", "Visit to the bank", "Sprint demo", "Physiotherapy", "Letter to the council", "Lab safety talk",
    "Contract reading", "Puzzle break", "Flight booking", "Mentoring of Jonas", "Recipe testing", "Archive clean-up",
    "Car inspection", "Podcast recording", "Library return",
)  # fmt: skip

ADD = (
    "Please add an event called {name!r} of {minutes} minutes (event id: {key}).",
    "I need {minutes} minutes for {name!r} today (event id: {key}).",
    "Put {name!r} into my calendar, {minutes} minutes long (event id: {key}).",
    "There is one more thing to plan: {name!r}, {minutes} minutes (event id: {key}).",
    "Could you find a place for {name!r}? It takes {minutes} minutes (event id: {key}).",
)

WISHES = MappingProxyType(
    {
        "before": ("has to be over by {0}", "must end before {0}", "should be finished no later than {0}"),
        "after": ("cannot start before {0}", "must be after {0}", "should begin at {0} or later"),
        "between": ("has to lie between {0} and {1}", "must fit in between {0} and {1}"),
        "at": ("must start at {0}", "has to begin at exactly {0}"),
    }
)

CHAT = (
    "Thank you! By the way, what is a good way to remember names?",
    "Great, that helps a lot. I am rather tired today, any idea against that?",
    "Perfect. Do you know why the sky turns red in the evening?",
    "Good. I would like to cook something simple tonight, what do you suggest?",
)
CHAT_REPLIES = (
    "Say the name once aloud and tie it to something you see.",
    "A glass of water and ten minutes of daylight often help.",
    "The low sun shines through more air, which scatters the blue away.",
    "Pasta with garlic, oil and chili takes fifteen minutes.",
)
