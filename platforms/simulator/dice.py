"""Chance that is the same in every process: each throw follows from a key, never from an earlier call elsewhere."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_BLOCK_SPAN = 1 << 512
_LEAST_SPAN = 1 << 96


class Dice:
    """A stream of even throws that depends on ``key`` alone. The order of the throws is part of the result."""

    __slots__ = ("_block", "_key", "_span", "_value")

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key)).encode("utf-8", "surrogatepass")
        self._block = 0
        self._span = 0
        self._value = 0

    def below(self, limit: int) -> int:
        """A whole number from 0 to ``limit`` - 1; ``limit`` is at most 2**64."""
        if self._span < _LEAST_SPAN:
            digest = blake2b(self._key, digest_size=64, salt=self._block.to_bytes(4, "big")).digest()
            self._value, self._span, self._block = int.from_bytes(digest, "big"), _BLOCK_SPAN, self._block + 1
        self._value, thrown = divmod(self._value, limit)
        self._span //= limit
        return thrown

    def between(self, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``, both included."""
        return least + self.below(most - least + 1)

    def percent(self, chance: int) -> bool:
        """True in ``chance`` of 100 throws."""
        return self.below(100) < chance

    def pick(self, choices: Sequence[T]) -> T:
        """One of ``choices``."""
        return choices[self.below(len(choices))]

    def hex(self, digits: int) -> str:
        """``digits`` hexadecimal digits."""
        text = ""
        while len(text) < digits:
            text += f"{self.below(1 << 64):016x}"
        return text[:digits]
