"""The next-word model: causal, teacher-forced, of equal cost, drawn from seeds alone."""

import hashlib
import itertools
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor

from nextify.errors import InputError
from nextify.scaling.measuring.count import count_macs, longest_chain
from nextify.scaling.sequence import text
from nextify.scaling.sequence.experiment import task
from nextify.scaling.sequence.model import NextWord, dropout, next_word, speak
from nextify.scaling.sequence.settings import KINDS, Settings, macs_per_word
from nextify.scaling.sequence.speed import time_steps
from nextify.scaling.sequence.training import Task, batches, loss, perplexity, train
from nextify.scaling.sequence.vocabulary import Vocabulary, shifted, vocabulary

WORDS = 23
SMALL = Settings(width=8, heads=2, layers=2, context=12, epochs=3, batch=4)
kinds = pytest.mark.parametrize("kind", KINDS)


def made(kind, seed: int = 1, settings: Settings = SMALL) -> NextWord:
    return next_word(kind, WORDS, settings, seed)


def random_words(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randint(WORDS, (rows, columns), generator=torch.Generator().manual_seed(seed))


@kinds
@examples(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_later_word_never_changes_an_earlier_output(kind, data):
    """To the bit: at any length, batch and place, for any other words from there on."""
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(2, SMALL.context))
    place = data.draw(st.integers(1, columns - 1))
    seed = data.draw(st.integers(0, 1000))
    before = random_words(rows, columns, seed)
    after = before.clone()
    after[:, place:] = (after[:, place:] + data.draw(st.integers(1, WORDS - 1))) % WORDS
    model = made(kind, seed)
    with torch.no_grad():
        one, other = model(before), model(after)
    assert torch.equal(one[:, :place], other[:, :place])
    assert (one[:, place:] != other[:, place:]).any(2).all()


@kinds
def test_no_gradient_reaches_back_from_an_earlier_output(kind):
    """The same by calculus: the loss at one place depends on the positions up to it, and on all."""
    model = made(kind)
    model.positions.requires_grad_()
    model(random_words(3, SMALL.context))[:, 6].logsumexp(1).sum().backward()
    reached = model.positions.grad.abs().sum(1) > 0
    assert reached.tolist() == [at <= 6 for at in range(SMALL.context)]


def word_by_word(model: NextWord, numbers: Tensor) -> Tensor:
    """The recurrent model's scores, one position after the other, from states alone."""
    states = [torch.zeros(len(numbers), SMALL.width) for _ in model.blocks]
    found = []
    for at in range(numbers.shape[1]):
        x = SMALL.width**0.5 * model.words[numbers[:, at]] + model.positions[at]
        for layer, block in enumerate(model.blocks):
            u = block.norms[0](x) @ block.mixer.input.T
            states[layer] = torch.tanh(u + states[layer] @ block.mixer.hidden.T)
            x = x + states[layer]
            x = x + F.gelu(block.norms[1](x) @ block.expand.T) @ block.contract.T
        found.append(model.norm(x) @ model.words.T + model.frequency)
    return torch.stack(found, 1)


@torch.no_grad()
def test_the_recurrent_model_step_by_step():
    """One word at a time, with nothing but the states of the step before."""
    model = made("recurrent")
    numbers = random_words(3, SMALL.context)
    torch.testing.assert_close(word_by_word(model, numbers), model(numbers), rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("tokens", [1, 2, 7, SMALL.context])
def test_what_the_order_of_words_forces_and_what_layers_add(tokens):
    """Layer by layer, as it runs, the second layer waits for the whole first one: a chain of
    2 N + 5. Word by word, where it may follow one word behind, of N + 6. The Transformer: 13."""
    model, numbers = made("recurrent"), random_words(1, tokens)
    assert longest_chain(lambda: model(numbers)) == 2 * tokens + 5
    assert longest_chain(lambda: word_by_word(model, numbers)) == tokens + 6
    assert longest_chain(lambda: made("transformer")(numbers)) == 13


@torch.no_grad()
def test_the_transformer_word_by_word():
    """All positions at once say what each beginning says by itself."""
    model = made("transformer")
    numbers = random_words(3, SMALL.context)
    found = [model(numbers[:, : at + 1])[:, -1] for at in range(SMALL.context)]
    torch.testing.assert_close(torch.stack(found, 1), model(numbers), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_the_transformer_is_torchs():
    """torch's pre-norm encoder under a causal mask, with the same weights."""
    model = made("transformer")
    layer = torch.nn.TransformerEncoderLayer(
        SMALL.width, SMALL.heads, SMALL.ratio * SMALL.width, dropout=0.0, activation=F.gelu,
        batch_first=True, norm_first=True, bias=False,
    )  # fmt: skip
    numbers = random_words(2, SMALL.context)
    x = SMALL.width**0.5 * model.words[numbers] + model.positions
    for block in model.blocks:
        layer.load_state_dict(
            {
                "self_attn.in_proj_weight": block.mixer.qkv,
                "self_attn.out_proj.weight": block.mixer.out,
                "linear1.weight": block.expand,
                "linear2.weight": block.contract,
                "norm1.weight": block.norms[0].weight,
                "norm2.weight": block.norms[1].weight,
            }
        )
        x = layer(x, torch.nn.Transformer.generate_square_subsequent_mask(SMALL.context))
    expected = model.norm(x) @ model.words.T + model.frequency
    torch.testing.assert_close(model(numbers), expected, rtol=1e-5, atol=1e-5)


@examples(max_examples=6, deadline=None)
@given(
    heads=st.integers(1, 4), each=st.integers(1, 5), ratio=st.integers(1, 4),
    context=st.integers(1, 40), layers=st.integers(1, 3), words=st.integers(1, 50),
)  # fmt: skip
def test_both_models_take_equally_many_macs(heads, each, ratio, context, layers, words):
    """By torch's counter, at the context; and the number is the formula's."""
    settings = Settings(
        width=heads * each, heads=heads, ratio=ratio, context=context, layers=layers
    )
    numbers = torch.zeros(2, context, dtype=torch.long)
    found = {count_macs(next_word(kind, words, settings, 0), numbers).macs for kind in KINDS}
    assert found == {2 * context * macs_per_word(kind, settings, words) for kind in KINDS}


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(InputError, match="multiple of the 4 attention heads"):
        next_word("transformer", 10, Settings(width=30), seed=0)


def test_teacher_forcing_is_a_shift_by_one():
    known = vocabulary([("i", "am", "superman")] * 2)
    given, desired = shifted(known.numbers(("i", "am", "superman")))
    assert [known.words[n] for n in given] == ["<SOS>", "i", "am", "superman"]
    assert [known.words[n] for n in desired] == ["i", "am", "superman", "<EOS>"]


def test_batches_hold_every_sentence_once():
    sentences = [tuple(range(1, 2 + length)) for length in (5, 2, 9, 2, 3, 7, 1)]
    pairs = [
        (tuple(row[: len(want)].tolist()), tuple(want.tolist()))
        for inputs, desired in batches(sentences, 3, torch.Generator().manual_seed(0))
        for row, wanted in zip(inputs, desired, strict=True)
        if len(want := wanted[wanted >= 0])
    ]
    assert sorted(pairs) == sorted(shifted(sentence) for sentence in sentences)


@kinds
@torch.no_grad()
def test_what_is_filled_up_changes_nothing(kind):
    model = made(kind)
    sentences = [tuple(row.tolist()) for row in random_words(5, 9)]
    sentences = [s[: 3 + at] for at, s in enumerate(sentences)]
    lost = [float(loss(model(i), d, "sum")) for s in sentences for i, d in batches([s], 1)]
    asked = sum(len(s) - 1 for s in sentences)
    expected = torch.tensor(sum(lost) / asked).exp()
    assert perplexity(model, sentences, 3) == pytest.approx(float(expected), rel=1e-5)


def learnable() -> list[tuple[int, ...]]:
    """After the same word comes that which came two before: a pair of words does not tell it."""
    return [(0, a, b, a, b, a, b, 1) for a in range(3, 9) for b in range(3, 9) if a != b]


def learned(seed: int) -> Task:
    words = Vocabulary(tuple(map(str, range(WORDS))), {})
    return Task(seed, words, learnable(), learnable(), ())


@kinds
def test_training_is_drawn_from_the_seed_alone(kind):
    """Global seeds, and draws in between, change no bit; another seed does."""
    torch.manual_seed(1)
    one = train(kind, learned(seed=3), SMALL)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = train(kind, learned(seed=3), SMALL)
    assert torch.equal(state, torch.get_rng_state())
    other = train(kind, learned(seed=4), SMALL)
    for weight, same, different in zip(*(m.parameters() for m in (one, again, other)), strict=True):
        assert torch.equal(weight, same) and not torch.equal(weight, different)


@kinds
def test_both_models_learn_what_pairs_of_words_do_not_tell(kind):
    """A bigram model cannot do better than 1 in 5 where the word two before tells all."""
    settings = replace(SMALL, width=16, epochs=20, batch=8, rate=2e-2, dropout=0.0)
    model = train(kind, learned(seed=0), settings)
    inputs = torch.tensor([[0, 3, 7, 3, 7], [0, 8, 4, 8, 4]])
    assert model(inputs)[:, 3:].argmax(2).tolist() == [[7, 3], [4, 8]]


@kinds
def test_the_best_epoch_is_kept(kind):
    """Validation sentences of words that training never asks for: more of it makes them worse."""
    against = [(0, 10, 11, 12, 1)]
    found: list[float] = []
    settings = replace(SMALL, layers=1, epochs=4, rate=2e-2)
    given = replace(learned(seed=0), validation=against)
    model = train(kind, given, settings, lambda _, perplexity: found.append(perplexity))
    assert perplexity(model, against) == min(found) < found[-1]


def test_dropout_keeps_the_mean():
    found = dropout(torch.ones(200, 200), 0.25, torch.Generator().manual_seed(0))
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float(found.mean()) == pytest.approx(1, abs=0.02)
    assert torch.equal(dropout(found, 0.25, None), found)


@kinds
def test_sentences_end_and_never_hold_what_is_forbidden(kind):
    model, draw = made(kind), torch.Generator().manual_seed(0)
    for _ in range(20):
        found = speak(model, [0, 5], 1, [0, 2], draw)
        assert found[:2] == [0, 5] and not {0, 2} & set(found[1:])
        assert len(found) == SMALL.context or (found[-1] == 1 and 1 not in found[:-1])


def test_steps_are_timed_at_equal_macs(monkeypatch):
    # Clocks that go on as they are read, not with the time.
    clocks = {name: itertools.count().__next__ for name in ("process_time", "perf_counter")}
    monkeypatch.setattr("nextify.machine.clock.time", SimpleNamespace(**clocks))
    found = time_steps(SMALL, WORDS, (4, 9), batch=2, rounds=2)
    assert [(s.kind, s.tokens) for s in found] == [(k, n) for n in (4, 9) for k in KINDS]
    assert [s.chain for s in found] == [26, 4 * 4 + 10, 26, 4 * 9 + 10]
    assert found[0].macs == found[1].macs < found[2].macs == found[3].macs
    assert {(s.fastest, s.seconds, s.slowest) for s in found} == {(1.0, 1.0, 1.0)}


def test_the_text_is_what_its_notice_says():
    content = files("nextify.scaling.sequence").joinpath(text.FILE).read_bytes()
    assert hashlib.sha256(content).hexdigest() == text.SHA256
    assert b"Gutenberg" not in content and content.count(b"CHAPTER") == 6
    notice = files("nextify.scaling.sequence").joinpath("ALICE_NOTICE.txt").read_text()
    assert "public domain" in notice and "public-domain" in notice
    found = text.sentences(text.read_text(), 63)
    assert " ".join(found[0]).startswith("alice was beginning to get very tired of sitting by her")
    assert not any("chapter" in sentence for sentence in found)
    assert max(map(len, found)) == 63


def test_parts_are_drawn_by_the_seed_and_share_no_sentence():
    found = text.sentences(text.read_text(), 63)
    parts, again, other = (text.parts_of(found, seed) for seed in (0, 0, 1))
    assert parts == again and parts["test"] != other["test"]
    sides = [set(side) for side in parts.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == len(set(found))
    assert sum(map(len, parts.values())) == len(found)


def test_the_vocabulary_is_that_of_the_training_sentences():
    found = task(Settings(), seed=0)
    numbers = [number for sentence in found.train for number in sentence]
    counts = [numbers.count(number) for number in range(3, len(found.vocabulary.words))]
    assert counts == sorted(counts, reverse=True) and counts[-1] == 2
    assert all(s[0] == 0 and s[-1] == 1 for side in (found.train, found.test) for s in side)
