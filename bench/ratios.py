"""Ratios of things measured in turns: A, B, A, B, so that both saw the same machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Aim:
    """What a ratio should be: at least or at most `bound`."""

    sign: str
    bound: float

    def met(self, ratio: float) -> bool:
        """Return whether the ratio is as good as it should be."""
        return ratio >= self.bound if self.sign == ">=" else ratio <= self.bound

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:.2f}"


def at_least(bound: float) -> Aim:
    """Return the aim of a rate."""
    return Aim(">=", bound)


def at_most(bound: float) -> Aim:
    """Return the aim of a cost."""
    return Aim("<=", bound)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: medians of ours and of the ceiling, and the ratio pair by pair.

    `low` and `high` are the quartiles of the ratios. `aim` is `None` where none was set.
    """

    part: str
    what: str
    unit: str
    ours: float
    ceiling: float
    ratio: float
    low: float
    high: float
    aim: Aim | None = None

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no aim."""
        return "" if self.aim is None else "met" if self.aim.met(self.ratio) else "missed"


def compared(
    name: tuple[str, str], unit: str, ours: Sequence[float], ceiling: Sequence[float], aim: Aim | None = None
) -> Row:
    """Return the row of two series whose values were measured in turns; `name` is part and what."""
    ratios = [mine / theirs for mine, theirs in zip(ours, ceiling, strict=True)]
    low, _, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Row(*name, unit, median(ours), median(ceiling), median(ratios), low, high, aim)


def bounded(name: tuple[str, str], unit: str, ours: Sequence[float], bound: float, aim: Aim | None = None) -> Row:
    """Return the row of a series that is compared with a fixed number: an ideal, or a limit."""
    return compared(name, unit, ours, [bound] * len(ours), aim)
