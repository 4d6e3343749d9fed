"""Results of a run of the ledger extract: of each month, and of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Self

from airflow_provider_rma.described_enum import DescribedEnum
from airflow_provider_rma.ledger.changes import Changes
from airflow_provider_rma.ledger.proof.residual import format_books_off_by
from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict, gravest
from airflow_provider_rma.ledger.windows import Window

#: Reasons that a result and an error name; the table of proofs has all of them.
FIRST_REASONS = 10


class MonthState(DescribedEnum):
    """State of a window in the destination after a run.

    :ivar label: one or two words for a table.
    """

    label: str

    def __new__(cls, value: str, label: str = "", meaning: str = "") -> Self:
        """Make a member. The defaults are for type checkers only, to whom looking one up is making one."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label, member.meaning, member.advice = label, meaning, ""
        return member

    CHANGED = "changed", "replaced", "replaced by what was read"
    UNCHANGED = "unchanged", "unchanged", "what was read is what is loaded already; only the proof is new"
    SKIPPED = (
        *("skipped", "not read"),
        "not read, since the service states the same balances as before; what is loaded stays",
    )
    DONE = (
        *("done", "done before"),
        "not read, since an earlier run has loaded and proven it, recently enough for this one",
    )
    REJECTED = "rejected", "not loaded", "not proven, so the old state stays"
    FAILED = "failed", "failed", "could not be read, so the old state stays; the reason says why"


@dataclass(frozen=True)
class WindowResult:
    """Result of one window.

    :param verdict: of a month that is done, that of the reading which did it; so are the reasons.
    :param rows: postings read; of a month that was skipped or is done, those that are loaded.
    :param rows_before: postings that were loaded before.
    :param attempts: how often it was read.
    :param calls: requests for it; those that the client repeated are counted once.
    :param seconds: how long it took, from the first request to the decision.
    :param slices: the slices in which it was read, none if it came as a whole.
    :param changes: what became of its vouchers, None if it was not replaced or loaded for the first time.
    :param load_id: load that read it, if it is done; else empty.
    :param books_off_by: residual of the books at its end, raw; None if it was not worked out.
    :param retryable: of a month that could not be read: whether the same may succeed later.
    """

    window: Window
    state: MonthState
    verdict: Verdict
    reasons: Sequence[Reason]
    rows: int
    rows_before: int
    attempts: int
    calls: int
    seconds: float
    slices: Sequence[str] = ()
    changes: Changes | None = None
    load_id: str = ""
    books_off_by: Decimal | None = None
    retryable: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether the warehouse holds what this result is about, not the state of before."""
        return self.state not in (MonthState.REJECTED, MonthState.FAILED)

    def after(self, earlier: WindowResult | None) -> WindowResult:
        """Return the same with what an earlier reading of the same run did: if that has replaced the month, so has the
        run.

        :param earlier: None if there was none.
        """
        if earlier is None or earlier.state is MonthState.DONE:
            return self
        result = replace(self, calls=self.calls + earlier.calls, seconds=self.seconds + earlier.seconds)
        if earlier.state is MonthState.CHANGED and self.state is MonthState.UNCHANGED:
            return replace(result, state=earlier.state, changes=earlier.changes, rows_before=earlier.rows_before)
        return result

    def sentences(self) -> list[str]:
        """List the reasons that call for attention, with the month."""
        return [f"{self.window}: {reason}" for reason in self.reasons if reason.verdict.needs_attention]


@dataclass(frozen=True)
class LedgerResult:
    """Result of a run.

    :param location: where the destination is, without secrets.
    :param convention: name of the sign convention by kind of account.
    :param remaining: windows that did not have their turn, because the run had to stop.
    :param stale: windows that are not as the books have them now, and were not read: later ones that open otherwise,
        which are marked as not proven, and those with accounts under an old number.
    :param renumbered: accounts that have got another number and were loaded under it, new by old number.
    :param ended_by: why the run ended before all windows had their turn; empty if it did not, or was told to stop.
    """

    tenant: str
    load_id: str
    kind: str
    location: str
    windows: Sequence[WindowResult] = ()
    convention: Mapping[str, str] = field(default_factory=dict)
    remaining: Sequence[Window] = ()
    stale: Sequence[Window] = ()
    renumbered: Mapping[str, str] = field(default_factory=dict)
    ended_by: str = ""

    @property
    def not_loaded(self) -> list[WindowResult]:
        """The windows that keep their old state."""
        return [month for month in self.windows if not month.is_loaded]

    @property
    def period(self) -> tuple[date, date] | None:
        """First and last day of all windows, those that remain included; None if there is none."""
        windows = sorted([*(month.window for month in self.windows), *self.remaining])
        return (windows[0].start, windows[-1].end) if windows else None

    @property
    def rows(self) -> int:
        """Postings of all windows, read now or before; if all is well, they are loaded."""
        return sum(month.rows for month in self.windows)

    @property
    def calls(self) -> int:
        """Requests over all windows."""
        return sum(month.calls for month in self.windows)

    @property
    def seconds(self) -> float:
        """Duration of all windows."""
        return sum(month.seconds for month in self.windows)

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict of all windows."""
        return gravest(month.verdict for month in self.windows)

    def months(self, state: MonthState | str) -> list[str]:
        """List the names of the windows in a state."""
        return [month.window.name for month in self.windows if month.state == state]

    @property
    def read(self) -> list[WindowResult]:
        """The windows that were not done before."""
        return [month for month in self.windows if month.state is not MonthState.DONE]

    @property
    def unproven(self) -> dict[str, str]:
        """Windows that were read and are not proven, with their verdict; loaded only if that was wanted."""
        read = (month for month in self.windows if month.state is not MonthState.SKIPPED)
        return {month.window.name: month.verdict.value for month in read if not month.verdict.is_proven}

    @property
    def closed_month_changed(self) -> list[str]:
        """Windows of the closed period that have changed since they were loaded."""
        return [
            month.window.name
            for month in self.windows
            if any(reason.code is ReasonCode.CLOSED_MONTH_CHANGED for reason in month.reasons)
        ]

    @property
    def books_off_by(self) -> Decimal | None:
        """Residual of the books at the end of the last month of which it is known."""
        known = [(month.window, month.books_off_by) for month in self.windows if month.books_off_by is not None]
        return max(known)[1] if known else None

    def reasons(self, limit: int = FIRST_REASONS) -> list[str]:
        """List the first reasons, as sentences with their month."""
        return [sentence for month in self.windows for sentence in month.sentences()][:limit]

    def as_dict(self) -> dict[str, Any]:
        """Return a small result for an XCom: counts, months, verdicts, reasons; no postings, nothing personal."""
        first, last = self.period or (None, None)
        return {
            "tenant": self.tenant,
            "destination": self.kind,
            "location": self.location,
            "load_id": self.load_id,
            "from_date": first.isoformat() if first else None,
            "to_date": last.isoformat() if last else None,
            "rows": self.rows,
            "windows": len(self.windows),
            # Of nothing, nothing is proven.
            "verdict": self.verdict.value if self.windows else None,
            "verdicts": dict(Counter(month.verdict.value for month in self.windows)),
            "changed": self.months(MonthState.CHANGED),
            "unchanged": len(self.months(MonthState.UNCHANGED)),
            "skipped": self.months(MonthState.SKIPPED),
            "done": self.months(MonthState.DONE),
            "stopped": bool(self.remaining),
            "remaining": [window.name for window in self.remaining],
            "stale": [window.name for window in self.stale],
            "renumbered": dict(self.renumbered),
            "rejected": self.months(MonthState.REJECTED),
            "failed": self.months(MonthState.FAILED),
            "ended_by": self.ended_by or None,
            "unproven": self.unproven,
            "changes": {month.window.name: dict(month.changes.counts) for month in self.windows if month.changes},
            "closed_month_changed": self.closed_month_changed,
            "split": {month.window.name: len(month.slices) for month in self.windows if month.slices},
            "calls": self.calls,
            "seconds": round(self.seconds, 3),
            "seconds_per_call": round(self.seconds / self.calls, 3) if self.calls else None,
            "reasons": self.reasons(),
            "convention": dict(self.convention),
            "books_off_by": format_books_off_by(self.books_off_by),
        }
