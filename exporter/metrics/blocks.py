"""Bytes that are ready to be sent, plain and compressed.

A gzip page is *one* member (RFC 1952) stitched from blocks that were compressed long before it was asked for. Several
members would be as good to Prometheus, but curl, wget, httpx and browsers stop after the first, most without an error.
"""

import itertools
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isal import isal_zlib

__all__ = ["Block", "Stretch", "gzip_member"]

_LEVEL = 1
_RAW = -15
"""Deflate without a header of its own, with the largest window: zlib's `wbits`."""
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Deflate, no name, no time, compressed fast, by an unknown system."""
_LAST_BLOCK = b"\x03\x00"
"""An empty block that is marked as the last one."""
_32_BITS = 2**32


@dataclass(slots=True)
class Block:
    """Some lines, each with its end. `deflated` ends at a whole byte and refers to nothing before it: a full flush."""

    plain: bytes
    deflated: bytes | memoryview
    crc: int

    @classmethod
    def of(cls, plain: bytes) -> "Block":
        compressor = isal_zlib.compressobj(_LEVEL, wbits=_RAW)
        deflated = compressor.compress(plain) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
        return cls(plain, deflated, isal_zlib.crc32(plain))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks that are neighbours on every page, and what is known of them together.

    Plain they stay apart, being large; compressed they are joined: at a scrape that would take as long as to send them.
    """

    plain: tuple[bytes, ...]
    deflated: bytes
    plain_bytes: int
    crc: int

    @classmethod
    def of(cls, *blocks: Block) -> "Stretch":
        """The blocks together. What they hold compressed is from now on a part of what the stretch holds, no copy."""
        deflated, start = b"".join(block.deflated for block in blocks), 0
        for block in blocks:
            block.deflated = memoryview(deflated)[start : start + len(block.deflated)]
            start += len(block.deflated)
        crc, size = _together((block.crc, len(block.plain)) for block in blocks)
        return cls(tuple(block.plain for block in blocks), deflated, size, crc)

    @classmethod
    def of_lines(cls, lines: bytes) -> "Stretch":
        """A stretch of its own."""
        return cls.of(Block.of(lines))

    @classmethod
    def joined(cls, stretches: Sequence["Stretch"]) -> "Stretch":
        """Stretches as one, in copies of what they hold compressed."""
        crc, size = _together((stretch.crc, stretch.plain_bytes) for stretch in stretches)
        plain = tuple(itertools.chain.from_iterable(stretch.plain for stretch in stretches))
        return cls(plain, b"".join(stretch.deflated for stretch in stretches), size, crc)

    def is_of(self, blocks: Sequence[Block]) -> bool:
        """Whether these very blocks are in it."""
        return len(blocks) == len(self.plain) and all(
            block.plain is plain for block, plain in zip(blocks, self.plain, strict=True)
        )


def gzip_member(stretches: Iterable[Stretch]) -> tuple[bytes, ...]:
    """The stretches, one after the other, as a gzip file in pieces."""
    stretches = tuple(stretches)
    crc, size = _together((stretch.crc, stretch.plain_bytes) for stretch in stretches)
    return (
        _HEADER,
        *(stretch.deflated for stretch in stretches),
        _LAST_BLOCK,
        struct.pack("<LL", crc, size % _32_BITS),
    )


def _together(parts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """CRC-32 and length of what is put together, from those of the parts."""
    crc = size = 0
    for part_crc, part_size in parts:
        crc = isal_zlib.crc32_combine(crc, part_crc, part_size)
        size += part_size
    return crc, size
