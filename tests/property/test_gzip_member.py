"""Blocks that were compressed one by one make one member of gzip, whichever they are and in whatever order."""

import gzip
import zlib

from hypothesis import example, given
from hypothesis import strategies as st

from exporter.metrics.blocks import Block, Stretch, gzip_member

_OF_GZIP = 31
"""zlib's `wbits` for one member with its header and its end."""

lines = st.one_of(
    st.binary(max_size=40).map(lambda text: text + b"\n"),
    st.builds(lambda line, times: line * times, st.binary(min_size=1, max_size=80), st.integers(1, 2_000)),
)
stretches = st.lists(st.lists(lines, min_size=1, max_size=4), max_size=4)


@given(stretches)
@example([])
@example([[b"gigas_up 1.0\n"] * 4] * 2)
def test_a_page_is_one_member_that_zlib_reads_to_its_end(given_: list[list[bytes]]) -> None:
    page = b"".join(block for stretch in given_ for block in stretch)
    member = b"".join(gzip_member(Stretch.of(*map(Block.of, stretch)) for stretch in given_))
    reader = zlib.decompressobj(_OF_GZIP)
    assert reader.decompress(member) == page
    assert (reader.eof, reader.unused_data) == (True, b"")
    assert gzip.decompress(member) == page  # Which checks the CRC and the length by code of its own.


@given(given_=st.lists(lines, min_size=1, max_size=6), data=st.data())
def test_a_block_refers_to_nothing_before_it(given_: list[bytes], data: st.DataObject) -> None:
    ready = [Block.of(block) for block in given_]
    order = data.draw(st.permutations(range(len(ready))))
    member = b"".join(gzip_member([Stretch.of(*(ready[index] for index in order))]))
    assert gzip.decompress(member) == b"".join(given_[index] for index in order)
    for block in ready:
        assert zlib.decompressobj(-15).decompress(block.deflated) == block.plain
