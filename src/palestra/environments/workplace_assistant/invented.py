"""Words that the generated tables are made of. People and companies are invented."""

DOMAIN = "linden.example"

PEOPLE = (
    "Amina Okoye", "Bruno Keller", "Chiara Monti", "Davit Petrosyan", "Elsa Lindqvist", "Farid Haddad",
    "Greta Novak", "Hiro Tanabe", "Ilse Brandt", "Joao Teixeira", "Kavita Rao", "Lars Bakken", "Mireille Faure",
    "Nikos Pappas", "Oona Virtanen", "Pilar Quiroga", "Quentin Moreau", "Rosa Zimmer", "Sanjay Iyer", "Tilda Hughes",
)  # fmt: skip
"""No two share a given name, so a given name is enough to tell who is meant."""

EVENT_NAMES = (
    "Weekly planning", "Budget check", "Onboarding round", "Incident review", "Customer interview", "Roadmap talk",
    "Design walkthrough", "Hiring debrief", "Release rehearsal", "Security training", "Supplier call", "Lunch meeting",
    "Quarterly outlook", "Data clean-up session", "Pricing discussion", "Support handover", "Brand workshop",
    "Contract negotiation", "Accessibility audit", "Research exchange", "Team breakfast", "Migration dry run",
    "Press preparation", "One-to-one", "Usability test", "Backup drill", "Partner sync", "Goal setting",
    "Documentation hour", "Architecture forum",
)  # fmt: skip

VERBS = ("Write", "Fix", "Test", "Redesign", "Document", "Speed up", "Review", "Migrate", "Simplify", "Monitor")
OBJECTS = (
    ("login service", "Back end"), ("invoice export", "Back end"), ("search index", "Back end"),
    ("payment queue", "Back end"), ("backup job", "Back end"), ("audit log", "Back end"), ("rate limiter", "Back end"),
    ("mail gateway", "Back end"), ("report cache", "Back end"), ("user import", "Back end"),
    ("checkout page", "Front end"), ("settings form", "Front end"), ("landing page", "Front end"),
    ("image gallery", "Front end"), ("date picker", "Front end"), ("sign-up dialog", "Front end"),
    ("mobile menu", "Front end"), ("order list", "Front end"), ("help centre", "Front end"),
    ("newsletter banner", "Front end"), ("icon set", "Design"), ("colour palette", "Design"),
    ("style guide", "Design"), ("onboarding screens", "Design"), ("error pages", "Design"), ("print layout", "Design"),
    ("pricing table", "Design"), ("app logo", "Design"), ("dark theme", "Design"), ("dashboard mock-up", "Design"),
    ("product tour", "Design"), ("email template", "Design"),
)  # fmt: skip

GIVEN_NAMES = (
    "Ada", "Basil", "Cora", "Dylan", "Edith", "Flynn", "Gemma", "Hugo", "Ivy", "Jonas", "Kira", "Leon", "Maya", "Noel",
    "Orla", "Piet", "Ruth", "Silas", "Thea", "Umar", "Vera", "Wim", "Yara", "Zeno",
)  # fmt: skip
FAMILY_NAMES = (
    "Abbot", "Berger", "Castell", "Dunne", "Ekberg", "Falk", "Graves", "Holm", "Ivers", "Jansen", "Kovac", "Lowe",
    "Marsh", "Nagy", "Orsini", "Pryce", "Quist", "Roth", "Sato", "Thorn",
)  # fmt: skip
COMPANIES = (
    "alderworks",
    "bluegranite",
    "copperline",
    "driftwood",
    "evergreenlabs",
    "fernhill",
    "graystone",
    "harborlight",
)

GREETINGS = ("Hi", "Hello", "Dear", "Good morning")
SENTENCES = (
    "Here is where we stand with {topic}.", "I would like to hear your opinion before Friday.",
    "The numbers look better than last month.", "We are waiting for an answer from the supplier.",
    "I have put my notes into the shared folder.", "There is one open question about {topic}.",
    "Could we talk about it next week?", "The first results are promising.", "Two people can help if we ask today.",
    "Nothing is blocked at the moment.", "We should write down what we decided.", "The deadline for {topic} is tight.",
)  # fmt: skip
NOTES = (
    "asked for a quote.", "met at the fair.", "wants a demonstration.", "called back.", "sent the brochure.",
    "needs approval from finance.", "compared us with others.", "was pleased with the trial.",
)  # fmt: skip
