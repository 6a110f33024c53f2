"""Numbers that were measured, and what is required of some of them."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    value: float
    is_the_most: bool

    def allows(self, value: float) -> bool:
        return value <= self.value if self.is_the_most else value >= self.value


def at_least(value: float) -> Limit:
    return Limit(value, is_the_most=False)


def at_most(value: float) -> Limit:
    return Limit(value, is_the_most=True)


@dataclass(frozen=True)
class Figure:
    """One number, measured once per round. `row` and `column` are its place in the table of its part.

    `name` is what the table of what is required calls it, with its unit.
    """

    row: str
    column: str
    values: tuple[float, ...]
    required: Limit | None = None
    name: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_enough(self) -> bool:
        """Whether what is required was reached; nothing required is always reached."""
        return self.required is None or self.required.allows(self.median)


def ratios(numerators: tuple[float, ...], denominators: tuple[float, ...]) -> tuple[float, ...]:
    """The ratio within each round."""
    return tuple(one / other for one, other in zip(numerators, denominators, strict=True))
