"""Writes a reply that keeps all constraints of a generated task, and one that breaks a given constraint of it."""

import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from palestra.environments.instruction_following.ifbench_words import words_of
from palestra.environments.instruction_following.splitting import sentences, word_runs

Row = dict[str, Any]
FILLERS = (
    "The narrow path follows the water to the old mill.",
    "Most people who live there walk slowly in the evening.",
    "Somebody had left a door open at the end of the lane.",
    "We could hear the wind in the tall grass behind the house.",
    "They told us that the road would be dry again before long.",
    "When the light was gone the children went inside to eat.",
)
SPEECHES = MappingProxyType(
    {
        "de": "Der alte Mann ging langsam durch den Wald und dachte an seine Kinder, die weit weg wohnten.",
        "fr": "Le vieil homme marchait lentement dans la forêt et pensait à ses enfants qui habitaient loin.",
        "es": "El viejo caminaba despacio por el bosque y pensaba en sus hijos, que vivían muy lejos de allí.",
        "it": "Il vecchio camminava lentamente nel bosco e pensava ai suoi figli che abitavano lontano.",
        "pl": "Stary człowiek szedł powoli przez las i myślał o swoich dzieciach, które mieszkały daleko.",
        "ru": "Старик медленно шёл через лес и думал о своих детях, которые жили далеко отсюда.",
    }
)
SENTENCE_OF = MappingProxyType(
    {
        "keywords:existence": lambda k: f"We saw {' near '.join(k['keywords'])}.",
        "keywords:frequency": lambda k: f"They said {' '.join([k['keyword']] * k['frequency'])}.",
        "keywords:word_once": lambda k: f"They said {k['keyword']}.",
        "count:count_increment_word": lambda k: f"They said {k['keyword1']} {k['keyword2']} {k['keyword2']}.",
        "keywords:letter_frequency": lambda k: f"They said {k['letter'] * k['let_frequency']}.",
        "letters:letter_counting2": lambda k: f"They said {k['letter'] * k['let_frequency']}.",
        "detectable_format:number_highlighted_sections": lambda k: f"They said {'*so it is* ' * k['num_highlights']}.",
        "detectable_content:number_placeholders": lambda k: f"They said {'[name] ' * k['num_placeholders']}.",
        "count:numbers": lambda k: f"They said {'7 ' * k['N']}.",
        "count:conjunctions": lambda k: " ".join(["They", *("and", "for", "nor", "but", "or", "yet")[: k["small_n"]]]),
    }
)  # fmt: skip
"""What adds itself to any reply."""

SOLITARY: MappingProxyType[str, Callable[[Any], str]] = MappingProxyType(
    {
        "language:response_language": lambda k: SPEECHES[k["language"]],
        "copy:copy": lambda k: k["prompt_to_repeat"],
        "copy:copying_simple": lambda k: k["prompt_to_repeat"],
        "copy:copying_multiple": lambda k: "\n******\n".join([k["prompt_to_repeat"]] * k["N"]),
        "new:copy_span_idx": lambda k: k["prompt_to_repeat"][k["n_start"] : k["n_end"]],
        "copy:repeat_phrase": lambda k: "\n".join([changed(k["phrase"])] * k["small_n"]),
        "keywords:keyword_specific_position": lambda k: (
            "They left. " * (k["n"] - 1) + "so " * (k["m"] - 1) + k["keyword"] + " was there."
        ),
        "count:counting_composition": lambda k: "\n***\n".join(
            [" ".join(["so " * (k["n_words"] - 2) + "on."] * k["n_sent"])] * 3
        ),
        "format:options": lambda k: k["options"].split("/")[0],
        "sentence:keyword": lambda k: "They left. " * (k["N"] - 1) + f"Then the {k['word']} came.",
        "detectable_format:json_format": lambda k: json.dumps({"reply": list(FILLERS)}),
        "detectable_format:square_brackets": lambda k: "[All] [of] [it]",
        "detectable_format:bigram_wrapping": lambda k: "<<All of>> <<it here>>",
        "format:output_template": lambda k: "My Answer: no\nMy Conclusion: none\nFuture Outlook: dry",
        "ratio:sentence_type": lambda k: "They left. They came. Why?",
        "format:newline": lambda k: "All\nof\nit",
    }
)


def changed(phrase: str) -> str:
    words = phrase.split()
    words[len(words) // 2] = "odd"
    return " ".join(words)


def write(row: Row) -> str:
    """A reply that keeps every constraint of the row."""
    given = dict(zip(row["instruction_id_list"], row["kwargs"], strict=True))
    for identifier, writer in SOLITARY.items():
        if identifier in given:
            return writer(given[identifier])
    units = laid_out(given)
    extra = [SENTENCE_OF[identifier](kwargs) for identifier, kwargs in given.items() if identifier in SENTENCE_OF]
    units[-1] = " ".join([units[-1], *extra])
    capitals = given.get("change_case:capital_word_frequency")
    if capitals and capitals["capital_relation"] == "at least":
        units[-1] += " NASA" * capitals["capital_frequency"] + "."
    units[-1] += padding(given, " ".join(units))
    if bullets := given.get("detectable_format:number_bullet_lists"):
        units[-1] += "\n* point" * bullets["num_bullets"] + "\n"
    return cased(given, edged(given, divider(given).join(units)))


def laid_out(given: Row) -> list[str]:
    """The reply's parts, before anything is added to them."""
    count = 1
    for identifier in ("length_constraints:number_paragraphs", "length_constraints:nth_paragraph_first_word"):
        count = given.get(identifier, {}).get("num_paragraphs", count)
    if given.keys() & {"paragraphs:paragraphs", "paragraphs:paragraphs2", "combination:two_responses"}:
        count = 2
    sections = given.get("detectable_format:multiple_sections")
    count = sections["num_sections"] if sections else count
    units = [FILLERS[index % len(FILLERS)] for index in range(count)]
    if nth := given.get("length_constraints:nth_paragraph_first_word"):
        units[nth["nth_paragraph"] - 1] = f"{nth['first_word']} {units[nth['nth_paragraph'] - 1]}"
    if sections:
        units = [f"{sections['section_spliter']} {number}\n{unit}" for number, unit in enumerate(units, 1)]
    return units


def divider(given: Row) -> str:
    if "combination:two_responses" in given:
        return "\n******\n"
    starred = given.keys() & {"paragraphs:paragraphs", "length_constraints:number_paragraphs"}
    return "\n***\n" if starred else "\n\n"


def padding(given: Row, text: str) -> str:
    """What is still missing in length; more English where the language is to be told."""
    padded = text
    if given.keys() & {"change_case:english_lowercase", "change_case:english_capital"}:
        # One sentence, as there may have to be few.
        padded += " " + " while ".join(filler.rstrip(".") for filler in FILLERS) + "."
    turn = 0
    while not long_enough(given, padded):
        if "count:word_count_range" in given:
            padded += " so"
        else:
            padded += " " + FILLERS[turn % len(FILLERS)]
            turn += 1
    return padded.removeprefix(text)


def long_enough(given: Row, text: str) -> bool:
    for identifier, measure, bound in (
        ("length_constraints:number_words", lambda: len(word_runs(text)), "num_words"),
        ("length_constraints:number_sentences", lambda: len(sentences(text)), "num_sentences"),
        ("letters:letter_counting", lambda: sum(map(str.isalpha, text)), "N"),
        ("count:word_count_range", lambda: len(words_of(text)), "min_words"),
    ):
        kwargs = given.get(identifier)
        if kwargs and kwargs.get("relation") != "less than" and measure() < kwargs[bound]:
            return False
    return True


def edged(given: Row, text: str) -> str:
    """The text with its beginning and its end."""
    if word := given.get("first_word:first_word_answer"):
        text = f"{word['first_word']} {text}"
    if "detectable_format:title" in given:
        text = f"<<So it was>>\n{text}"
    if request := given.get("combination:repeat_prompt"):
        text = f"{request['prompt_to_repeat']}\n{text}"
    if marker := given.get("detectable_content:postscript"):
        text = f"{text.rstrip()}\n{marker['postscript_marker']} They left."
    if phrase := given.get("startend:end_checker"):
        text = f"{text} {phrase['end_phrase']}"
    if word := given.get("last_word:last_word_answer"):
        text = f"{text} {word['last_word']}"
    return f'"{text}"' if "startend:quotation" in given else text


def cased(given: Row, text: str) -> str:
    if "punctuation:punctuation_dot" in given:
        text = text.replace(".", "")
    if "change_case:english_lowercase" in given:
        return text.lower()
    return text.upper() if given.keys() & {"change_case:english_capital", "count:lowercase_counting"} else text


ADDED = MappingProxyType(
    {
        "keywords:forbidden_words": lambda k: f" {k['forbidden_words'][0]}",
        "keywords:exclude_word_harder": lambda k: f" {k['keyword']}.",
        "punctuation:no_comma": lambda k: ",",
        "punctuation:punctuation_exclamation": lambda k: "!",
        "punctuation:punctuation_dot": lambda k: ".",
        "change_case:english_lowercase": lambda k: " X",
        "count:lowercase_counting": lambda k: " so" * (k["N"] + 1),
        "length_constraints:number_sentences": lambda k: " They left." * k["num_sentences"],
        "length_constraints:number_words": lambda k: " so" * k["num_words"],
        "change_case:capital_word_frequency": lambda k: " NASA" * k["capital_frequency"],
        "count:word_count_range": lambda k: " so" * k["max_words"],
    }
)
"""What breaks a constraint that asks to leave something out, or for less than so much."""


def spoil(row: Row, place: int) -> str:
    """A reply that breaks the constraint at this place of the row."""
    identifier, kwargs = row["instruction_id_list"][place], row["kwargs"][place]
    if "at least" in kwargs.values() and identifier.partition(":")[0] in {"length_constraints", "letters"}:
        return "They left."
    if identifier in ADDED and "at least" not in kwargs.values():
        return write(row) + ADDED[identifier](kwargs)
    others = [number for number in range(len(row["kwargs"])) if number != place]
    rest = {name: [row[name][number] for number in others] for name in ("instruction_id_list", "kwargs")}
    return write(rest)
