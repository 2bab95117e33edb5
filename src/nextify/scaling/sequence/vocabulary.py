"""Words as numbers, and the input and desired output of a next-word model."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from nextify.scaling.sequence.text import Sentence

SOS, EOS, UNK = "<SOS>", "<EOS>", "<UNK>"
_LEAST = 2  # occurrences; a rarer word is <UNK>
_ALIKE = 0.7  # of difflib, from 0 to 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words by their number: <SOS>, <EOS> and <UNK>, then the most frequent first.

    >>> made = vocabulary([("i", "am", "superman"), ("i", "am")])
    >>> made.words
    ('<SOS>', '<EOS>', '<UNK>', 'am', 'i')
    >>> made.numbers(("i", "am", "superman"))
    (0, 4, 3, 2, 1)
    """

    words: tuple[str, ...]
    number: dict[str, int] = field(repr=False, compare=False)

    def numbers(self, sentence: Sequence[str]) -> tuple[int, ...]:
        """A sentence between <SOS> and <EOS>, with <UNK> for words that are not known."""
        inside = (self.number.get(word, self.number[UNK]) for word in sentence)
        return (self.number[SOS], *inside, self.number[EOS])

    def unknown(self, sentence: Iterable[str]) -> dict[str, list[str]]:
        """Words that are read as <UNK>, each with up to three known words that are spelled alike.

        >>> vocabulary([("alice", "ran"), ("alice", "ran")]).unknown(("alise", "ran"))
        {'alise': ['alice']}
        """
        names = self.words[3:]
        strange = (word for word in sentence if word not in self.number)
        return {word: get_close_matches(word, names, cutoff=_ALIKE) for word in strange}


def vocabulary(sentences: Iterable[Sentence]) -> Vocabulary:
    """The words that occur at least twice, by frequency, equal ones by alphabet."""
    counts = Counter(word for sentence in sentences for word in sentence)
    frequent = sorted((w for w, n in counts.items() if n >= _LEAST), key=lambda w: (-counts[w], w))
    words = (SOS, EOS, UNK, *frequent)
    return Vocabulary(words, {word: number for number, word in enumerate(words)})


def shifted(sequence: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Teacher forcing: the input, and the desired output, which is the input shifted by one.

    Of `<SOS> i am superman <EOS>` the input is `<SOS> i am superman`, the output
    `i am superman <EOS>`: at every position the right word so far is given and the next is asked.

    >>> shifted((0, 4, 3, 5, 1))
    ((0, 4, 3, 5), (4, 3, 5, 1))
    """
    return tuple(sequence[:-1]), tuple(sequence[1:])
