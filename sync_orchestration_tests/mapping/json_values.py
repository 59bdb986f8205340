"""Arbitrary JSON for the properties of this folder."""

from hypothesis import strategies as st

from sync_orchestration.mapping.records import JSON

SCALARS: st.SearchStrategy[JSON] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(
        ["", " ", "\u00a0", "true", "0", "9999", "code:CZ", "1e999", "1E999999999", "NaN", "2026-02-30", "a@b.cz,"]
    ),
)
VALUES: st.SearchStrategy[JSON] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


def records(*names: str) -> st.SearchStrategy[dict[str, JSON]]:
    """Records that often have the named fields, and others."""
    return st.dictionaries(st.one_of(st.sampled_from(names), st.text(max_size=6)), VALUES, max_size=8)
