"""Models that count: how often a word follows, alone or after one other. The measure of the rest.

Both ways to smooth pairs are in Chen and Goodman, "An empirical study of smoothing techniques for
language modeling" (1999): additive (section 2.1), and interpolated Kneser-Ney (2.7 and 3), which
they found to be the best.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from nextify.scaling.sequence.vocabulary import shifted

Numbers = Sequence[int]
Table = NDArray[np.float64]

DISCOUNTS = tuple(round(0.05 * step, 2) for step in range(1, 20))
ADDED = tuple(round(10.0 ** (step / 5), 4) for step in range(-15, 1))  # 0.001 to 1


def pair_counts(sequences: Sequence[Numbers], size: int) -> Table:
    """(size, size): how often the word of a column follows that of a row.

    >>> pair_counts([(0, 2, 1), (0, 2, 2, 1)], 3)[2]
    array([0., 2., 1.])
    """
    counts = np.zeros((size, size))
    for sequence in sequences:
        np.add.at(counts, shifted(sequence), 1)
    return counts


def unigram(counts: Table) -> Table:
    """(size,): each word's share of all that follow. Every word of a vocabulary has one."""
    return np.asarray(counts.sum(0) / counts.sum())


def additive(counts: Table, added: float) -> Table:
    """(size, size): probabilities of the next word, (c(v w) + k) / (c(v) + k words).

    Args:
        added: k, above 0, to every word that is ever asked.
    """
    more = counts + added * (counts.sum(0) > 0)
    return np.asarray(more / more.sum(1, keepdims=True))


def kneser_ney(counts: Table, discount: float) -> Table:
    """(size, size): probabilities of the next word, rows sum to one.

        P(w | v) = max(c(v w) - d, 0) / c(v) + d n(v) / c(v) m(w) / m

    with n(v) different words after v and m(w) different words before w, of m pairs. A word that
    nothing follows has the last factor alone.

    Args:
        discount: d, above 0 and below 1.
    """
    total = counts.sum(1, keepdims=True)
    pairs = counts > 0
    before = pairs.sum(0) / pairs.sum()
    seen = np.maximum(total, 1)
    left = np.where(total > 0, discount * pairs.sum(1, keepdims=True) / seen, 1.0)
    return np.asarray(np.maximum(counts - discount, 0) / seen + left * before)


def best(
    smooth: Callable[[Table, float], Table],
    strengths: Iterable[float],
    counts: Table,
    validation: Sequence[Numbers],
) -> Table:
    """With the addition or the discount that is best on other sentences."""
    tables = (smooth(counts, strength) for strength in strengths)
    return min(tables, key=lambda table: perplexity(table, validation))


def perplexity(table: Table, sequences: Sequence[Numbers]) -> float:
    """exp of the mean of -log P over all words that are asked, <EOS> and <UNK> included.

    >>> round(perplexity(np.full((4, 4), 1 / 4), [(0, 2, 3, 1)]), 9)
    4.0

    Args:
        table: (size, size), or (size,) if what came before plays no role.
    """
    wide = np.broadcast_to(table, (table.shape[-1], table.shape[-1]))
    logs = np.concatenate([np.log(wide[shifted(sequence)]) for sequence in sequences])
    return float(np.exp(-logs.mean()))
