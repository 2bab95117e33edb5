"""The defining relation of a regular fraction, from its generators."""

from nextify.experiments.fractions import GENERATORS, LETTERS


def generators(k, resolution):
    """Of the last factors of `fraction(k, resolution)`, in their order."""
    return GENERATORS[resolution].get(k, "").split()


def words(k, products):
    """The generators' words and all their products, the shortest first: 2^p - 1."""
    found = [frozenset()]
    for letter, product in zip(LETTERS[k - len(products) : k], products, strict=True):
        word = frozenset(letter + product)
        found += [word ^ each for each in found]
    return sorted(("".join(sorted(word)) for word in found[1:]), key=lambda w: (len(w), w))
