"""Random mixers and sizes: windows that divide and that do not, odd and even, batches above one."""

from dataclasses import dataclass

from hypothesis import strategies as st

from nextify.scaling.laws.mixers import (
    Attention,
    Convolution,
    FeedForward,
    MatrixProduct,
    Mixer,
    Recurrence,
    WindowAttention,
    in_plane,
)

HEADS = st.sampled_from((1, 2, 3))
ODD = st.sampled_from((3, 5, 7))

mixers: st.SearchStrategy[Mixer] = st.one_of(
    st.just(MatrixProduct()),
    st.just(Recurrence()),
    st.just(Attention(projected=False)),
    st.builds(Attention, heads=HEADS, causal=st.booleans(), fused=st.booleans()),
    st.builds(
        WindowAttention,
        window=st.integers(1, 6),
        shifted=st.booleans(),
        heads=HEADS,
        plane=st.booleans(),
    ),
    st.builds(Convolution, kernel=ODD, depthwise=st.booleans(), plane=st.booleans()),
    st.builds(FeedForward, ratio=st.integers(1, 5)),
)


@dataclass(frozen=True)
class Case:
    mixer: Mixer
    batch: int
    tokens: int | tuple[int, int]
    width: int

    @property
    def count(self) -> int:
        return self.tokens if isinstance(self.tokens, int) else self.tokens[0] * self.tokens[1]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    mixer = draw(mixers)
    side = st.integers(1, 13)
    tokens = (draw(side), draw(side)) if in_plane(mixer) else draw(st.integers(1, 40))
    return Case(mixer, draw(st.integers(1, 3)), tokens, 6 * draw(st.integers(1, 4)))
