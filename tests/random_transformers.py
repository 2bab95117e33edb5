"""Random small transformers, with images that they can see."""

from hypothesis import strategies as st

from nextify.designs import Swin, Vit

HEADS = st.sampled_from((1, 2, 3))
RATIOS = st.sampled_from((0.5, 2.0, 2.7, 4.0))


@st.composite
def vits(draw: st.DrawFn) -> tuple[Vit, tuple[int, int]]:
    """A ViT and (height, width) of its images, which its patches divide."""
    patch, heads = draw(st.integers(1, 9)), draw(HEADS)
    design = Vit(
        patch_size=patch,
        depth=draw(st.integers(1, 3)),
        width=heads * draw(st.integers(2, 6)),
        heads=heads,
        mlp_ratio=draw(RATIOS),
    )
    return design, (patch * draw(st.integers(1, 6)), patch * draw(st.integers(1, 6)))


@st.composite
def swins(draw: st.DrawFn, least_heads: int = 1) -> tuple[Swin, tuple[int, int]]:
    """A Swin and (height, width) of images, odd ones and windows that do not divide among them."""
    stages = draw(st.integers(1, 3))
    heads = tuple(draw(st.integers(least_heads, 3)) * 2**at for at in range(stages))
    patch = draw(st.integers(1, 5))
    design = Swin(
        patch_size=patch,
        width=6 * draw(st.integers(1, 3)),
        depths=tuple(draw(st.integers(1, 3)) for _ in range(stages)),
        heads=heads,
        window=draw(st.integers(2, 7)),
        mlp_ratio=draw(RATIOS),
    )
    side = st.integers(patch, 40)
    return design, (draw(side), draw(side))
