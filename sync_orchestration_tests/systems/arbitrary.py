"""Anything that a server may answer."""

from typing import Any

from hypothesis import strategies as st


def json_values(*, leaves: int = 6) -> st.SearchStrategy[Any]:
    """Any JSON value, with the ones that are nearly right among them."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats()
        | st.text(max_size=8)
        | st.sampled_from(["", "0", "1", "none", "true", "false", "-1", "1e999", "code:A", "²", "١"])
    )
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=leaves,
    )
