"""Slices in which a window is read: the whole of it, and ever smaller ones where the service cannot send the whole."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from airflow_provider_rma.exceptions import IncompleteResponseError, RequestError, ResponseTooLargeError, ServerError
from airflow_provider_rma.ledger.windows import Window

log = logging.getLogger(__name__)

#: All accounts, as the service writes it (documented).
ALL = "x"

_TOO_LARGE = 413


class RestartMonthError(Exception):
    """A slice broke off when some of it had been handed on: the window has to be read anew, as its plan says."""


@dataclass(frozen=True, order=True)
class Slice:
    """Some days of a window, or some accounts on one day.

    :param start: first day, inclusive.
    :param end: last day, inclusive.
    :param accounts: account number, ``x`` for any digit, ``x`` alone for all accounts.
    """

    start: date
    end: date
    accounts: str = ALL

    @property
    def days(self) -> int:
        """Days of the slice, at least 1."""
        return (self.end - self.start).days + 1

    def split(self, classes: Iterable[str]) -> list[Slice]:
        """Split it into smaller slices. Returns none if it is the smallest.

        :param classes: patterns that together cover all accounts, and no account twice.
        """
        if self.days > 1:
            middle = self.start + timedelta(days=self.days // 2 - 1)
            return [Slice(self.start, middle), Slice(middle + timedelta(days=1), self.end)]
        if self.accounts == ALL:
            return [Slice(self.start, self.end, pattern) for pattern in classes]
        return []

    def __str__(self) -> str:
        days = self.start.isoformat() if self.days == 1 else f"{self.start.isoformat()} to {self.end.isoformat()}"
        return days if self.accounts == ALL else f"{days}, accounts {self.accounts}"


def account_classes(numbers: Iterable[str]) -> list[str]:
    """Make patterns that cover these accounts, each once: ``1xxx`` for every account of four digits that begins with 1.

    A number that does not consist of digits stands for itself: no placeholder for letters is documented.
    """
    return sorted(
        {
            f"{number[0]}{'x' * (len(number) - 1)}" if number.isascii() and number.isdigit() else number
            for number in numbers
            if number
        }
    )


class SlicePlan:
    """The slices of one window. They become finer when one cannot be had, never coarser.

    :param accounts: known account numbers. Postings of an account that is not among them would be missing from a day
        that is read by accounts; the proof then finds the gap.
    :param days: days of the longest slice to begin with; None for the whole window.
    :ivar calls: requests made, those that the client repeated counted once.
    :ivar refused: whether a slice could not be had, so that it was split.
    """

    def __init__(self, window: Window, accounts: Iterable[str] = (), days: int | None = None) -> None:
        self.window = window
        self.calls = 0
        self.refused = False
        self.slices = [Slice(window.start, window.end)]
        self._classes = account_classes(accounts)
        self._broke_off: set[Slice] = set()
        while days and self.longest > max(days, 1):
            self.slices = [piece for whole in self.slices for piece in (whole.split(()) or [whole])]

    @property
    def longest(self) -> int:
        """Days of the longest slice."""
        return max(piece.days for piece in self.slices)

    @property
    def is_split(self) -> bool:
        return len(self.slices) > 1

    def refine(self, slice_: Slice, error: RequestError) -> None:
        """Put smaller slices in the place of one that the service did not send.

        :param error: why.
        :raises RequestError: the error, if a smaller slice could not help, or if there is none; the message then names
            the window and the slice.
        """
        if not is_too_much(error):
            raise error
        smaller = slice_.split(self._classes)
        if not smaller:
            error.message = (
                f"{error.message.rstrip('.')}; {self.window} was asked for in ever smaller parts, and even the "
                f"smallest ({slice_}) could not be had"
            )
            raise error
        self.refused = True
        index = self.slices.index(slice_)
        self.slices[index : index + 1] = smaller
        log.warning(
            "%s: %s could not be had (%s); asking for it in %d parts.", self.window, slice_, error, len(smaller)
        )

    def note_broken_off(self, slice_: Slice, error: RequestError) -> None:
        """Note a slice whose content ended early.

        It may have been an accident; the second time it is split, and parts that end early as well are split at once:
        each further try reads the month anew.

        :raises RequestError: see :meth:`refine`.
        """
        if slice_ in self._broke_off or self.is_split:
            self.refine(slice_, error)
        self._broke_off.add(slice_)


def is_too_much(error: RequestError) -> bool:
    """Whether less may be had where this was not: time-outs, lost connections, responses that ended early or are
    too large, 5xx, 413. Never for a contradiction.

    The client has tried again by itself before it raises them.
    """
    if isinstance(error, IncompleteResponseError):
        return not error.is_miscounted
    return isinstance(error, (ResponseTooLargeError, ServerError)) or error.status == _TOO_LARGE
