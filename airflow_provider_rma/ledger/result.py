"""What a run of the ledger extract reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from airflow_provider_rma.ledger.changes import Changes
from airflow_provider_rma.ledger.proof.prove import PROVEN, Reason, ReasonCode, Verdict, gravest
from airflow_provider_rma.ledger.windows import Window

#: Reasons that a result and an error name; the table of proofs has all of them.
FIRST_REASONS = 10


class MonthState(StrEnum):
    """What became of a window in the destination."""

    CHANGED = "changed"
    """Replaced by what was read."""
    UNCHANGED = "unchanged"
    """What was read is what is loaded already; only the proof is new."""
    SKIPPED = "skipped"
    """Not read, since the service states the same balances as before; what is loaded stays."""
    DONE = "done"
    """Not read, since an earlier run has loaded and proven it, recently enough for this one."""
    REJECTED = "rejected"
    """Not proven, so the old state stays."""


@dataclass(frozen=True)
class WindowResult:
    """What became of one window.

    :param verdict: of a month that is done, that of the reading which did it; so are the reasons.
    :param rows: postings read; of a month that was skipped or is done, those that are loaded.
    :param rows_before: postings that were loaded before.
    :param attempts: how often it was read.
    :param calls: requests for it; those that the client repeated are counted once.
    :param seconds: how long it took, from the first request to the decision.
    :param parts: the parts in which it was read, none if it came as a whole.
    :param changes: what became of its vouchers, None if it was not replaced or loaded for the first time.
    :param load_id: load that read it, if it is done; else empty.
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
    parts: Sequence[str] = ()
    changes: Changes | None = None
    load_id: str = ""

    def sentences(self) -> list[str]:
        """The reasons that call for attention, with the month."""
        calm = (Verdict.EXACT, Verdict.BALANCES_ONLY)
        return [f"{self.window}: {reason}" for reason in self.reasons if reason.verdict not in calm]


@dataclass(frozen=True)
class LedgerResult:
    """What a run did.

    :param location: where the destination is, without secrets.
    :param convention: name of the sign convention by kind of account.
    :param remaining: windows that were not begun, because the run had to stop.
    """

    tenant: str
    load_id: str
    kind: str
    location: str
    windows: Sequence[WindowResult] = ()
    convention: Mapping[str, str] = field(default_factory=dict)
    remaining: Sequence[Window] = ()

    @property
    def period(self) -> tuple[date, date] | None:
        """First and last day of all windows, those that remain included; None if there is none."""
        windows = sorted([*(one.window for one in self.windows), *self.remaining])
        return (windows[0].start, windows[-1].end) if windows else None

    @property
    def rows(self) -> int:
        """Postings of all windows, read now or before; if all is well, they are loaded."""
        return sum(one.rows for one in self.windows)

    @property
    def calls(self) -> int:
        """Requests over all windows."""
        return sum(one.calls for one in self.windows)

    @property
    def seconds(self) -> float:
        """Duration of all windows."""
        return sum(one.seconds for one in self.windows)

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict of all windows."""
        return gravest(one.verdict for one in self.windows)

    def months(self, state: MonthState | str) -> list[str]:
        """Names of the windows in a state."""
        return [one.window.name for one in self.windows if one.state == state]

    @property
    def read(self) -> list[WindowResult]:
        """The windows that were not done before."""
        return [one for one in self.windows if one.state is not MonthState.DONE]

    @property
    def unproven(self) -> dict[str, str]:
        """Windows that were read and are not proven, with their verdict; loaded only if that was wanted."""
        read = (one for one in self.windows if one.state is not MonthState.SKIPPED)
        return {one.window.name: one.verdict.value for one in read if one.verdict not in PROVEN}

    @property
    def closed_month_changed(self) -> list[str]:
        """Windows of the closed period that have changed since they were loaded."""
        return [
            one.window.name
            for one in self.windows
            if any(reason.code is ReasonCode.CLOSED_MONTH_CHANGED for reason in one.reasons)
        ]

    def reasons(self, limit: int = FIRST_REASONS) -> list[str]:
        """The first reasons, as sentences with their month."""
        return [sentence for one in self.windows for sentence in one.sentences()][:limit]

    def as_dict(self) -> dict[str, Any]:
        """A small result for an XCom: counts, months, verdicts, reasons; no postings, nothing personal."""
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
            "verdicts": dict(Counter(one.verdict.value for one in self.windows)),
            "changed": self.months(MonthState.CHANGED),
            "unchanged": len(self.months(MonthState.UNCHANGED)),
            "skipped": self.months(MonthState.SKIPPED),
            "done": self.months(MonthState.DONE),
            "stopped": bool(self.remaining),
            "remaining": [window.name for window in self.remaining],
            "rejected": self.months(MonthState.REJECTED),
            "unproven": self.unproven,
            "changes": {one.window.name: dict(one.changes.counts) for one in self.windows if one.changes},
            "closed_month_changed": self.closed_month_changed,
            "split": {one.window.name: len(one.parts) for one in self.windows if one.parts},
            "calls": self.calls,
            "seconds": round(self.seconds, 3),
            "seconds_per_call": round(self.seconds / self.calls, 3) if self.calls else None,
            "reasons": self.reasons(),
            "convention": dict(self.convention),
        }
