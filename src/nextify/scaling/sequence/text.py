"""The text that comes with nextify, as words in sentences, and its parts for training and testing.

Chapters I to VI of "Alice's Adventures in Wonderland" (1865), in the public domain: see
ALICE_NOTICE.txt beside it.
"""

import re
from collections.abc import Sequence
from importlib.resources import files

import numpy as np

FILE = "alice.txt"
SHA256 = "9a98a85630e09edfa26037daacfbed3f1beca37b9762ed96987d66716d55bc4a"
_WORD = re.compile(r"[a-z]+(?:['-][a-z]+)*|--|[.,;:!?]")
_ENDS = frozenset(".!?")
_HEADING = re.compile(r"^ +CHAPTER .*\n+.*$", re.MULTILINE)
_PART = 0.1  # of the sentences, for validation and again for testing

Sentence = tuple[str, ...]


def read_text() -> str:
    """The text without its headings."""
    text = (files(__package__) / FILE).read_text(encoding="ascii")
    return _HEADING.sub("", text)


def words(text: str) -> list[str]:
    """Words and punctuation in lower case; quotation marks and brackets are left out.

    >>> words("`I'm SUPERMAN,' said a daisy-chain -- once.")
    ["i'm", 'superman', ',', 'said', 'a', 'daisy-chain', '--', 'once', '.']
    """
    return _WORD.findall(text.lower())


def sentences(text: str, most: int) -> list[Sentence]:
    """Sentences end with `.`, `!` or `?`; one of more than `most` words goes on as another.

    >>> sentences("We ran. Did they run, too?", most=4)
    [('we', 'ran', '.'), ('did', 'they', 'run', ','), ('too', '?')]
    """
    found: list[Sentence] = []
    open_ones: list[str] = []
    for word in words(text):
        open_ones.append(word)
        if word in _ENDS or len(open_ones) == most:
            found.append(tuple(open_ones))
            open_ones = []
    return found + ([tuple(open_ones)] if open_ones else [])


def parts_of(all_sentences: Sequence[Sentence], seed: int) -> dict[str, tuple[Sentence, ...]]:
    """Sentences for training ("train"), a tenth of them for choosing when to stop and how much to
    smooth ("validation"), and a tenth for testing ("test").

    A sentence that occurs more than once is drawn as one: no test sentence is trained on.

    >>> parts = parts_of([(str(number),) for number in range(20)], seed=0)
    >>> {part: len(sentences) for part, sentences in parts.items()}
    {'train': 16, 'validation': 2, 'test': 2}
    """
    different = sorted(set(all_sentences))
    order = np.random.default_rng(seed).permutation(len(different))
    count = round(_PART * len(different))
    drawn = [different[at] for at in order]
    test, validation = frozenset(drawn[:count]), frozenset(drawn[count : 2 * count])
    sides = {"train": frozenset(different) - test - validation, "validation": validation}
    return {
        name: tuple(sentence for sentence in all_sentences if sentence in side)
        for name, side in {**sides, "test": test}.items()
    }
