"""Free room in a buffer: rooms that touch are one, and a value takes the smallest that holds it."""

from bisect import bisect_left, insort
from dataclasses import dataclass, field


@dataclass
class Room:
    """The free room of one buffer, and the bytes that it needs so far.

    sizes: (bytes, offset) of every free room, ascending. size: bytes of a free room by its first
    byte; first: that by the byte behind it. No two rooms touch.
    """

    top: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    size: dict[int, int] = field(default_factory=dict[int, int])
    first: dict[int, int] = field(default_factory=dict[int, int])

    def take(self, wanted: int) -> int:
        """Offset of so many bytes: of the smallest room, the lowest such, else at the end.

        The end is where the last value stops, so that a free room there grows.
        """
        at = bisect_left(self.sizes, (wanted, 0))
        if at < len(self.sizes):
            offset = self.sizes[at][1]
            left = self._remove(offset) - wanted
            if left:
                self._add(offset + wanted, left)
            return offset
        offset = self.first.get(self.top, self.top)
        if offset < self.top:
            self._remove(offset)
        self.top = offset + wanted
        return offset

    def free(self, offset: int, size: int) -> None:
        """Give so many bytes back, and join them with free room on either side."""
        behind = offset + size
        if behind in self.size:
            size += self._remove(behind)
        if offset in self.first:
            offset = self.first[offset]
            size += self._remove(offset)
        self._add(offset, size)

    def _add(self, offset: int, size: int) -> None:
        self.size[offset], self.first[offset + size] = size, offset
        insort(self.sizes, (size, offset))

    def _remove(self, offset: int) -> int:
        size = self.size.pop(offset)
        del self.first[offset + size], self.sizes[bisect_left(self.sizes, (size, offset))]
        return size
