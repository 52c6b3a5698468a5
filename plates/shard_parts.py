"""A part of one field's shard: only the chunks that it overlaps are read and decoded."""

import os
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from plates.shard import ShardLayout, decode_chunk, decode_index, disk_dtype

Part = tuple[tuple[int, ...], slice, slice]
"""Channels in any order, rows and columns (from, to) of a field of one time and plane."""


@dataclass(frozen=True)
class StoredPart:
    """The compressed chunks that a part of a field overlaps, by (channel, row, column)
    in the grid of chunks."""

    layout: ShardLayout
    part: Part
    chunks: dict[tuple[int, int, int], bytes]

    @classmethod
    def read(
        cls, file: int, n_bytes: int, layout: ShardLayout, part: Part
    ) -> "StoredPart":
        """Read what is needed of an open shard of ``n_bytes``; ShardError if its index
        is not as it must be."""
        n_tail = min(n_bytes, layout.index_bytes)
        tail = os.pread(file, n_tail, n_bytes - n_tail)
        index = decode_index(tail, n_bytes, layout)
        chunks = {}
        for place in places(layout, part):
            number = np.ravel_multi_index((0, place[0], 0, *place[1:]), layout.grid)
            offset, length = index[int(number)]
            chunks[place] = os.pread(file, length, offset)
        return cls(layout, part, chunks)

    def decode(self) -> np.ndarray[Any, Any]:
        """The pixels (c, y, x) in native byte order; ShardError if a checksum fails."""
        layout, (channels, rows, columns) = self.layout, self.part
        size = rows.stop - rows.start, columns.stop - columns.start
        pixels = np.empty((len(channels), *size), disk_dtype(layout))
        for (c, i, j), data in self.chunks.items():
            whole = np.empty(layout.chunk, disk_dtype(layout))
            decode_chunk(data, layout, whole)
            y, to_y, of_y = _overlap(i, layout.chunk[3], rows)
            x, to_x, of_x = _overlap(j, layout.chunk[4], columns)
            first = c * layout.chunk[1]
            for n, channel in enumerate(channels):
                if first <= channel < first + layout.chunk[1]:
                    seen = whole[0, channel - first, 0, of_y:to_y, of_x:to_x]
                    pixels[n, y : y + to_y - of_y, x : x + to_x - of_x] = seen
        return pixels.astype(layout.dtype, copy=False)


def places(layout: ShardLayout, part: Part) -> list[tuple[int, int, int]]:
    """The (channel, row, column) in the grid of every chunk that a part overlaps."""
    channels, rows, columns = part
    of_channel = sorted({channel // layout.chunk[1] for channel in channels})
    return list(
        product(
            of_channel, _touched(rows, layout.chunk[3]), _touched(columns, layout.chunk[4])
        )
    )  # fmt: skip


def _touched(span: slice, length: int) -> range:
    return range(span.start // length, -(-span.stop // length))


def _overlap(number: int, length: int, span: slice) -> tuple[int, int, int]:
    """Where a chunk's pixels begin in the part, and the (end, begin) of those in it."""
    origin = number * length
    begin, end = max(span.start, origin), min(span.stop, origin + length)
    return begin - span.start, end - origin, begin - origin
