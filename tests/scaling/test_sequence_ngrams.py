"""Models that count, against their definitions, word by word."""

import math
from collections import Counter
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.scaling.sequence import ngrams

SIZE = 7
sequences = st.lists(
    st.lists(st.integers(2, SIZE - 1), max_size=8).map(lambda inside: (0, *inside, 1)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(sentences=sequences, discount=st.sampled_from((0.05, 0.5, 0.95)))
def test_kneser_ney_is_its_definition(sentences, discount):
    """With dictionaries, as Chen and Goodman write it (equations for interpolated Kneser-Ney)."""
    pairs = Counter(pair for s in sentences for pair in pairwise(s))
    first = Counter()
    for (word, _), count in pairs.items():
        first[word] += count
    after = Counter(word for word, _ in pairs)  # different words that follow
    before = Counter(word for _, word in pairs)  # different words that go before
    table = ngrams.kneser_ney(ngrams.pair_counts(sentences, SIZE), discount)
    for v in range(SIZE):
        for w in range(SIZE):
            lower = before[w] / len(pairs)
            expected = lower
            if first[v]:
                expected = max(pairs[v, w] - discount, 0) / first[v]
                expected += discount * after[v] / first[v] * lower
            assert table[v, w] == pytest.approx(expected)
    assert table.sum(1) == pytest.approx(np.ones(SIZE))


@settings(max_examples=40, deadline=None)
@given(sentences=sequences, added=st.sampled_from((0.001, 0.1, 1.0)))
def test_additive_smoothing_is_its_definition(sentences, added):
    pairs = Counter(pair for s in sentences for pair in pairwise(s))
    asked = {word for s in sentences for word in s[1:]}
    table = ngrams.additive(ngrams.pair_counts(sentences, SIZE), added)
    for v in range(SIZE):
        total = sum(count for (word, _), count in pairs.items() if word == v)
        for w in range(SIZE):
            expected = (pairs[v, w] + added) / (total + added * len(asked)) if w in asked else 0
            assert table[v, w] == pytest.approx(expected)


def test_the_unigram_model_is_each_words_share():
    found = ngrams.unigram(ngrams.pair_counts([(0, 2, 3, 1), (0, 2, 1)], 4))
    assert found.tolist() == pytest.approx([0, 2 / 5, 2 / 5, 1 / 5])


def test_perplexity_is_the_inverse_of_the_geometric_mean():
    table = np.array([[0, 0, 0.5, 0.5], [0.25] * 4, [0, 0.8, 0.1, 0.1], [0, 0.3, 0.3, 0.4]])
    sentences = [(0, 2, 3, 1), (0, 3, 1)]
    product = 0.5 * 0.1 * 0.3 * 0.5 * 0.3
    assert ngrams.perplexity(table, sentences) == pytest.approx(product ** (-1 / 5))
    alone = np.array([0.0, 0.5, 0.25, 0.25])
    expected = math.exp(-math.log(0.25 * 0.25 * 0.5 * 0.25 * 0.5) / 5)
    assert ngrams.perplexity(alone, sentences) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("model", "strengths", "least", "most"),
    [
        (ngrams.kneser_ney, ngrams.DISCOUNTS, 0.05, 0.95),
        (ngrams.additive, ngrams.ADDED, 0.001, 1.0),
    ],
)
def test_smoothing_is_chosen_on_other_sentences(model, strengths, least, most):
    """Where pairs repeat, little is taken from them; where they do not, much."""
    counts = ngrams.pair_counts([(0, 2, 3, 1), (0, 2, 3, 1), (0, 4, 5, 1), (0, 6, 1)], SIZE)
    best = partial(ngrams.best, model, strengths, counts)
    assert np.array_equal(best([(0, 2, 3, 1)]), model(counts, least))
    assert np.array_equal(best([(0, 3, 2, 6, 5, 2, 1)]), model(counts, most))
