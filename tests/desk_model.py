"""A model of a service desk and of what Azure means, written without the product.

It imports nothing of the product on purpose: a misunderstanding in the product's code cannot be
repeated here by import. `ModelDesk` keeps items and notices every act that no gateway may ever do;
`Trouble` says from Azure's own times whether a trouble runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Lost(Exception):
    """The desk did it, but its answer never arrived."""


class Refused(Exception):
    """The desk did not do it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass
class Item:
    """One incident of the desk."""

    number: int
    correlation: str
    state: str = "open"
    ended_by_person: bool = False
    notes: list[str] = field(default_factory=list)
    notes_after_person: int = 0


@dataclass
class ModelDesk:
    """A desk that can refuse (`refuse_next`), lose answers (`lose_next`) and be worked on by people."""

    items: list[Item] = field(default_factory=list)
    refuse_next: list[str] = field(default_factory=list)
    lose_next: int = 0
    violations: list[str] = field(default_factory=list)

    def _write(self) -> None:
        if self.refuse_next:
            raise Refused(self.refuse_next.pop(0))

    def _answer(self) -> None:
        if self.lose_next:
            self.lose_next -= 1
            raise Lost

    def create(self, correlation: str) -> Item:
        self._write()
        if any(item.correlation == correlation for item in self.items):
            self.violations.append(f"a second item for {correlation}")
        item = Item(len(self.items) + 1, correlation)
        self.items.append(item)
        self._answer()
        return item

    def find(self, correlation: str) -> Item | None:
        return next((item for item in self.items if item.correlation == correlation), None)

    def get(self, number: int) -> Item:
        return self.items[number - 1]

    def note(self, number: int, text: str) -> None:
        self._write()
        item = self.get(number)
        item.notes.append(text)
        if item.ended_by_person and text != "update":  # news about a trouble is never held back
            item.notes_after_person += 1
            if item.notes_after_person > 1:
                self.violations.append(f"more than one note on item {number} that a person ended")
        self._answer()

    def resolve(self, number: int) -> None:
        self._write()
        item = self.get(number)
        if item.state != "open":
            self.violations.append(f"resolved item {number} that was {item.state}")
        item.state = "resolved"
        self._answer()

    def reopen(self, number: int) -> None:
        self._write()
        item = self.get(number)
        if item.ended_by_person or item.state != "resolved":
            self.violations.append(f"reopened item {number} that was {item.state}")
        item.state = "open"
        self._answer()

    def person_closes(self, number: int) -> None:
        item = self.get(number)
        item.state, item.ended_by_person = "closed", True


@dataclass
class Trouble:
    """What Azure has said of one series: when it fired, and when it said that all is well."""

    fired: list[float] = field(default_factory=list)
    resolved: list[float] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        """Whether it has fired after the last time Azure said that all is well."""
        return bool(self.fired) and max(self.fired) > max(self.resolved, default=-1.0)
