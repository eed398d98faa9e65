"""A page is written in pieces that are the page."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.web.scrape import WRITE_BYTES, pieces

SIZES = st.one_of(
    st.integers(0, 100),
    st.integers(WRITE_BYTES // 3, WRITE_BYTES // 2),
    st.integers(WRITE_BYTES - 1, WRITE_BYTES + 1),
    st.integers(2 * WRITE_BYTES, 3 * WRITE_BYTES),
)


@given(st.lists(SIZES, max_size=6))
def test_pieces_are_the_page_and_neither_many_nor_large(sizes: list[int]) -> None:
    blocks = [bytes([number]) * size for number, size in enumerate(sizes)]
    written = list(pieces(blocks))
    assert b"".join(written) == b"".join(blocks)
    assert all(len(piece) < 2 * WRITE_BYTES for piece in written)
    large = sum(size > WRITE_BYTES for size in sizes)
    assert len(written) <= sum(sizes) // WRITE_BYTES + 2 * large + 1
