"""Hypothesis strategies that several tests share."""

from hypothesis import strategies as st

from nextify.designs import PATHS, Design


def subsets_of(path_name: str) -> st.SearchStrategy[Design]:
    """Designs with any subset of a path's choices made, at any stem stride."""
    path = PATHS[path_name]
    indices = st.sets(st.integers(0, len(path.choices) - 1))
    strides = st.sampled_from((4, 2, 1))
    return st.builds(
        lambda chosen, stride: path.with_design_fields({"stem_stride": stride}).subset(chosen),
        indices,
        strides,
    )
