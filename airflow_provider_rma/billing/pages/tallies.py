"""Sums, samples and grouped reasons of many documents, bounded in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

#: How many numbers a sample names, and a group of reasons.
EXAMPLES = 5
_NUMBERS = 20
#: How many groups of reasons there are at most.
_GROUPS = 200

_INDEX = re.compile(r"\[\d+\]")


@dataclass
class Tally:
    """Sums of documents of one currency.

    :param documents: how many there are.
    :param net: sum of the totals without tax that are known.
    :param gross: sum of the totals with tax that are known.
    :param amount: sum of the totals with tax, or without where only that is known.
    :param net_known: of how many documents ``net`` is the sum.
    :param gross_known: of how many documents ``gross`` is the sum.
    """

    documents: int = 0
    net: Decimal = Decimal("0.00")
    gross: Decimal = Decimal("0.00")
    amount: Decimal = Decimal("0.00")
    net_known: int = 0
    gross_known: int = 0

    def add(self, net: Decimal | None, gross: Decimal | None) -> None:
        """Count a document."""
        self.documents += 1
        self.amount += gross if gross is not None else net if net is not None else Decimal(0)
        if net is not None:
            self.net, self.net_known = self.net + net, self.net_known + 1
        if gross is not None:
            self.gross, self.gross_known = self.gross + gross, self.gross_known + 1

    def include(self, other: Tally) -> None:
        """Count the documents of another tally."""
        self.documents += other.documents
        self.amount += other.amount
        self.net, self.net_known = self.net + other.net, self.net_known + other.net_known
        self.gross, self.gross_known = self.gross + other.gross, self.gross_known + other.gross_known


@dataclass
class Sample:
    """A count, and the first of what is counted."""

    count: int = 0
    numbers: list[str] = field(default_factory=list)

    def add(self, number: str, limit: int = EXAMPLES) -> None:
        """Count a document."""
        self.count += 1
        if len(self.numbers) < limit:
            self.numbers.append(number)


@dataclass
class ReasonGroup(Sample):
    """Documents that share a reason; words in which their sentences differ are written as ``…``.

    :param first: the words of the first of them.
    """

    outcome: str = ""
    first: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    position: int = 0

    @property
    def sentence(self) -> str:
        """The reason as a sentence."""
        return " ".join(self.words)

    @property
    def example(self) -> str:
        """The words of the first document in place of each ``…``; empty if the sentences do not differ."""
        pairs = zip(self.first, self.words, strict=True)
        return ", ".join(own.strip(",;.") for own, common in pairs if common == "…")


class Reasons:
    """Reasons of many documents, grouped by outcome and by what they say apart from numbers and dates."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, tuple[str, ...]], ReasonGroup] = {}

    def add(self, outcome: str, reasons: Iterable[str], number: str, position: int) -> None:
        """Count the reasons of one document."""
        for reason in list(reasons) or ["no reason is given"]:
            words = _strip_address(reason, number, position).split()
            key = outcome, tuple("#" if any(char.isdigit() for char in word) else word for word in words)
            if key not in self._groups and len(self._groups) >= _GROUPS:
                words = ["other", "reasons,", "see", "the", "file"]
                key = outcome, ()
            group = self._groups.setdefault(key, ReasonGroup(outcome=outcome, first=words, words=words))
            group.words = [old if old == new else "…" for old, new in zip(group.words, words, strict=True)]
            if group.position != position:
                group.position = position
                group.add(number or f"record {position}", _NUMBERS)

    def list_groups(self, outcome: str | None = None) -> list[ReasonGroup]:
        """List the groups, of one outcome or of all, the largest first."""
        chosen = (group for group in self._groups.values() if outcome in (None, group.outcome))
        return sorted(chosen, key=lambda group: -group.count)


def _strip_address(reason: str, number: str, position: int) -> str:
    """Remove from a reason the document it is about and indexes of lines."""
    for address in (f"invoice {number}: ", f"customer {number}: ", f"record {position}: "):
        reason = reason.removeprefix(address)
    return _INDEX.sub("[]", reason)
