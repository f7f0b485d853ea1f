"""For each constraint: arguments, replies that keep it, and replies that do not."""

from types import MappingProxyType
from typing import Any, NamedTuple


class Replies(NamedTuple):
    kwargs: dict[str, Any]
    kept: tuple[str, ...]
    broken: tuple[str, ...]


AT_LEAST, LESS_THAN = "at least", "less than"
GERMAN = "Der alte Mann ging langsam durch den Wald und dachte an seine Kinder, die weit weg wohnten."
ENGLISH = "The old man walked slowly through the forest and thought of his children who lived far away."
REQUEST = "Write a poem about bees."
THREE = "one\n\ntwo here\n\nthree"
NUMBER = {"N": 3, "relation": AT_LEAST}

IFEVAL = {
    "keywords:existence": Replies(
        {"keywords": ["lantern", "compass"]},
        ("A Lantern beside a compass.", "lanterns, compasses"),
        ("A lantern.", "A compas and a lantern."),
    ),
    "keywords:frequency": Replies(
        {"keyword": "bee", "frequency": 2, "relation": AT_LEAST}, ("Bee, bee.", "bees beehive bee"), ("bee", "be e")
    ),
    "keywords:forbidden_words": Replies(
        {"forbidden_words": ["art", "money"]}, ("A party.", "smart"), ("Art!", "no MONEY here", "art.")
    ),
    "keywords:letter_frequency": Replies(
        {"letter": "q", "let_frequency": 2, "let_relation": LESS_THAN}, ("Quick", "none"), ("Quick quote", "qqq")
    ),
    "language:response_language": Replies({"language": "de"}, (GERMAN,), (ENGLISH, "123 456")),
    "length_constraints:number_sentences": Replies(
        {"num_sentences": 3, "relation": AT_LEAST},
        ("One. Two! Three?", "Dr. Who came. He saw. He left at 5 p.m. sharp."),
        ("One. Two.", "Mr. Smith paid 3.50 dollars. He left."),
    ),
    "length_constraints:number_paragraphs": Replies(
        {"num_paragraphs": 2}, ("a\n***\nb", "***a***b", "a *** b\n***"), ("a", "a\n***\n***\nb", "a***b***c")
    ),
    "length_constraints:number_words": Replies(
        {"num_words": 3, "relation": LESS_THAN}, ("two words", "one-half"), ("just three words", "a-b-c")
    ),
    "length_constraints:nth_paragraph_first_word": Replies(
        {"num_paragraphs": 3, "nth_paragraph": 2, "first_word": "Two"},
        (THREE, 'one\n\n"Two," he said\n\nthree'),
        ("one\n\ntwo", "one\n\nnot two\n\nthree", "one\n\n\n\ntwo\n\nthree"),
    ),
    "detectable_content:number_placeholders": Replies(
        {"num_placeholders": 2}, ("[name] at [address]",), ("[name]", "[name] []", "[name\n] [")
    ),
    "detectable_content:postscript": Replies(
        {"postscript_marker": "P.S."}, ("Bye.\nP.S. More", "bye p. s. more"), ("Bye. PS more", "Bye.")
    ),
    "detectable_format:number_bullet_lists": Replies(
        {"num_bullets": 2}, ("* a\n* b", "x\n  - a\n*b"), ("* a", "* a\n* b\n- c", "** a\n** b")
    ),
    "detectable_format:constrained_response": Replies(
        {},
        ("My answer is yes.", "I think: My answer is no."),
        ("yes", "my answer is maybe", "My answer is yes. My answer is no."),
    ),
    "detectable_format:number_highlighted_sections": Replies(
        {"num_highlights": 2}, ("*a* and **b**", "*one* *two*"), ("*a*", "** ** * *", "*a\n*")
    ),
    "detectable_format:multiple_sections": Replies(
        {"section_spliter": "Section", "num_sections": 2}, ("Section 1\na\nSection 2\nb",), ("Section 1", "Section one")
    ),
    "detectable_format:json_format": Replies(
        {}, ('{"a": [1]}', "```json\n[1, 2]\n```"), ("{'a': 1}", '{"a": 1', '{"a": NaN}', "7", "[" * 100_000)
    ),
    "detectable_format:title": Replies({}, ("<<Bees>>\nText", "A <<b>> c"), ("<Bees>", "<<>>", "<< >>", "<<a\n>>")),
    "combination:two_responses": Replies(
        {}, ("one\n******\ntwo", "******a******b"), ("one", "a******a", "a******b******c", "a************b")
    ),
    "combination:repeat_prompt": Replies(
        {"prompt_to_repeat": REQUEST},
        (f"{REQUEST}\nThey hum.", " write a POEM about bees. Hum."),
        ("They hum.", f"Sure! {REQUEST} Hum.", REQUEST),
    ),
    "startend:end_checker": Replies(
        {"end_phrase": "That is all."}, ("Bees. That is all.", '"Bees. that IS all."\n'), ("That is all. Bees.",)
    ),
    "startend:quotation": Replies(
        {},
        ('"Hum."', ' "a b" '),
        ("Hum.", '"', '"Hum'),
    ),
    "change_case:capital_word_frequency": Replies(
        {"capital_frequency": 2, "capital_relation": AT_LEAST}, ("NO WAY", "I see NASA"), ("No Way", "ONE word")
    ),
    "change_case:english_capital": Replies({}, (ENGLISH.upper(),), (ENGLISH, GERMAN.upper(), "123")),
    "change_case:english_lowercase": Replies({}, (ENGLISH.lower(),), (ENGLISH, GERMAN.lower(), "123")),
    "punctuation:no_comma": Replies({}, ("a; b. c",), ("a, b", "a，b", "a، b")),
}

TRAINING = {
    "copy:repeat_phrase": Replies(
        {"phrase": "the cat sat down", "small_n": 2},
        ("the dog sat down\nthe cow sat down", "the cat sat down, so the cat lay down"),
        ("the dog sat down", "the dog lay down\nthe cat lay down", "the cat sat down\nthe cat sat down"),
    ),
    "copy:copy": Replies({"prompt_to_repeat": REQUEST}, (REQUEST, f" {REQUEST.lower()}\n"), (f"{REQUEST} Hum.",)),
    "copy:copying_simple": Replies({"prompt_to_repeat": REQUEST}, (REQUEST,), ("Write a poem.",)),
    "copy:copying_multiple": Replies(
        {"prompt_to_repeat": REQUEST, "N": 2},
        (f"{REQUEST}******{REQUEST}",),
        (REQUEST, f"{REQUEST}******bees", f"{REQUEST}\n{REQUEST}"),
    ),
    "new:copy_span_idx": Replies(
        {"prompt_to_repeat": REQUEST, "n_start": 0, "n_end": 12}, ("Write a poem", "write a poem "), ("a poem", REQUEST)
    ),
    "detectable_format:sentence_hyphens": Replies(
        {}, ("I came.-I saw.-I won.", "One only."), ("I came. I saw.", "I came. -I saw.", "I saw well-known men.")
    ),
    "detectable_format:square_brackets": Replies({}, ("[all] [of] [it]",), ("[all] of [it]", "[all of] it")),
    "detectable_format:bigram_wrapping": Replies(
        {}, ("<<I am>> <<at home>>", "<<I am>> home"), ("I am at home", "<<I am>> at home", "alone", "<<alone>>")
    ),
    "keywords:no_adjacent_consecutive": Replies({}, ("bees hum loud", "cats bake"), ("all bees", "Mice never sleep")),
    "keywords:word_once": Replies({"keyword": "bee"}, ("One Bee.",), ("none", "bee after bee")),
    "keywords:word_count_different_numbers": Replies(
        {"keyword": "bee", "frequency": 2, "relation": LESS_THAN}, ("bee", "none"), ("bee bee",)
    ),
    "keywords:exclude_word_harder": Replies(
        {"keyword": "bees", "instruction": REQUEST}, ("They hum.", "beeswax"), ("the bees hum", "Bees.", "bees")
    ),
    "keywords:palindrome": Replies({}, ("at noon", 'say "Level"!'), ("at dawn", "a I 7 -", "abc")),
    "keywords:keyword_specific_position": Replies(
        {"keyword": "bees", "n": 2, "m": 3}, ("They hum. All the bees do.",), ("All the bees.", "A. All bees do.", "x")
    ),
    "keywords:start_end": Replies({}, ("Bees love bees", "so it is so"), ("Bees love bees.", "bees", "- x -", "a b")),
    "paragraphs:paragraphs": Replies({}, ("a\n***\nb",), ("a", "a\n\nb", "a***b***c")),
    "paragraphs:paragraphs2": Replies({}, ("a\n\nb", "a\n\nb\n\n"), ("a\nb", "a\n\nb\n\nc", "a\n\n\n\nb")),
    "first_word:first_word_sent": Replies(
        {"first_word": "bees"}, ("Bees hum. Bees fly! bees",), ("Bees hum. They fly.", "Bees-like. Bees.", "Bees a.b")
    ),
    "first_word:first_word_answer": Replies({"first_word": "bees"}, ("Bees hum. They fly.",), ("They", "Bees, hum")),
    "last_word:last_word_sent": Replies(
        {"last_word": "bees"}, ("Hum, bees. Fly, Bees!",), ("Hum bees. They fly.", "bees hum")
    ),
    "last_word:last_word_answer": Replies({"last_word": "bees"}, ("I like bees.", "BEES"), ("bees hum", "bees. .")),
    "punctuation:punctuation_dot": Replies({}, ("no end!", "a; b"), ("an end.", "3.5", "．")),
    "punctuation:punctuation_exclamation": Replies({}, ("calm.",), ("hey!", "hey！", "what?!")),
    "count:lowercase_counting": Replies({"N": 2}, ("two words", "A B C Dx"), ("three small words",)),
    "count:counting_composition": Replies(
        {"n_sent": 2, "n_words": 3},
        ("Bees hum. Bees fly.\n***\nCats nap. Cats eat.\n***\nI am. I go.",),
        (
            "Bees hum. Bees fly.",
            "Bees hum.\n***\nCats nap.\n***\nI am.",
            "A b. C d.\n***\nA b. C d.\n***\nA b. Long one.",
        ),
    ),
    "count:count_unique": Replies({}, ("all words differ here.", "A a"), ("bees and bees", "one, two, three")),
    "count:count_increment_word": Replies(
        {"keyword1": "bee", "keyword2": "cat"}, ("A bee, a cat, a cat.",), ("bee cat", "bee bee cat cat", "cat cat")
    ),
    "letters:letter_counting": Replies(NUMBER, ("abc", "a b c d"), ("ab", "12345")),
    "letters:letter_counting2": Replies(
        {"letter": "#", "let_frequency": 2, "let_relation": AT_LEAST}, ("#a #b",), ("#a", "hash")
    ),
}

IFBENCH = {
    "count:word_count_range": Replies(
        {"min_words": 2, "max_words": 3}, ("two words", "don't you dare"), ("one", "a b c d")
    ),
    "count:unique_word_count": Replies({"N": 3}, ("bees hum well", "a b c a"), ("bees hum bees", "a A a")),
    "count:conjunctions": Replies({"small_n": 2}, ("cats and dogs, or bees",), ("cats and dogs and bees", "band")),
    "count:numbers": Replies({"N": 2}, ("3 of 12", "1,000 and 2.5"), ("3", "1 2 3", "two three")),
    "count:keywords_multiple": Replies(
        {"keyword1": "a1", "keyword2": "b2", "keyword3": "c3", "keyword4": "d4", "keyword5": "e5"},
        ("a1 " + "b2 " * 2 + "c3 " * 3 + "d4 " * 5 + "e5 " * 7,),
        ("a1 b2 c3 d4 e5", "a1 " + "b2 " * 2 + "c3 " * 3 + "d4 " * 5 + "e5 " * 6),
    ),
    "count:punctuation": Replies({}, ("A, b; c: d. e! f? g?!",), ("A, b; c: d. e! f?", "A, b; c: d. g?!")),
    "words:alphabet": Replies({}, ("All bees can dance.", "you zip all"), ("bees all", "all cats", "a 1")),
    "words:consonants": Replies({}, ("Bright stars blink", "fast Cars"), ("a bright star", "bee")),
    "words:palindrome": Replies(
        {},
        ("level radar civic rotor kayak refer madam tenet stats solos",),
        ("level " * 10, "level radar civic rotor kayak refer madam tenet stats noon"),
    ),
    "words:prime_lengths": Replies({}, ("The cat is happy", "an eel"), ("four", "a bee")),
    "words:repeats": Replies({"small_n": 2}, ("bee Bee cat", "one two"), ("bee bee Bee",)),
    "words:no_consecutive": Replies({}, ("bees can fly", "one"), ("busy bees", "Big beds")),
    "words:last_first": Replies({}, ("I see bees. Bees hum.", "One. One!"), ("I see bees. They hum.",)),
    "words:paragraph_last_first": Replies({}, ("Bees like bees.\nCats, cats!",), ("Bees like bees.\nCats nap.",)),
    "words:words_position": Replies(
        {"keyword": "bees"}, ("The bees and the bees hum",), ("The bees hum loud", "bees bees")
    ),
    "words:keywords_specific_position": Replies(
        {"keyword": "bees", "n": 2, "m": 1}, ('They hum. "Bees" do.',), ("Bees hum.", "They hum. All bees do.")
    ),
    "sentence:keyword": Replies({"word": "bees", "N": 2}, ("Look. Bees hum.",), ("Bees hum. Look.", "Bees.")),
    "sentence:increment": Replies({"small_n": 1}, ("Go. Go on. Go on now.", "One."), ("Go on. Go.", "Go. Go on now.")),
    "ratio:sentence_type": Replies({}, ("He. She. You?", 'He. "She." You? '), ("He. She.", "He. She? You?", "He!")),
    "ratio:sentence_balance": Replies({}, ("He. She? You!",), ("He. She? You! Me.", "He", "He. She.")),
    "format:parentheses": Replies({}, ("a (b [c {d (e [f] g) h} i] j) k",), ("(((())))", "((((([", "(((([)))))")),
    "format:options": Replies({"options": "yes/no/unsure"}, ("Yes.", "unsure"), ("yes or no", "Yes, because", "yesno")),
    "format:newline": Replies({}, ("One\nword\neach",), ("Two words\neach", "alone")),
    "format:no_whitespace": Replies({}, ("Onelongword.",), ("Two words", "line\n", " x")),
    "format:output_template": Replies(
        {},
        ("My Answer: yes\nMy Conclusion: fine\nFuture Outlook: good",),
        (
            "My Answer: yes",
            "My Answer:\nMy Conclusion: b\nFuture Outlook: c",
            "So: My Answer: a My Conclusion: b Future Outlook: c",
        ),
    ),
    "format:sub-bullets": Replies(
        {}, ("* a\n  - b\n* c\n  - d\n  - e",), ("* a\n* b\n  - c", "- a", "* a\n  - b\n* c")
    ),
    "format:line_indent": Replies({}, ("a\n b\n  c", "a\n   b"), ("a\nb", " a\nb", "a")),
    "format:list": Replies({"sep": "!"}, ("! a\n! b",), ("* a\n* b", "! a", "! a\n! b\n- c")),
    "repeat:repeat_change": Replies(
        {"prompt_to_repeat": REQUEST}, ("Sing a poem about bees.",), (REQUEST, "Sing a poem about cats.", "Hum")
    ),
}

REPLIES: MappingProxyType[str, Replies] = MappingProxyType({**IFEVAL, **TRAINING, **IFBENCH})
