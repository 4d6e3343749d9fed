"""Verdicts and reasons, with the sentences that people read about them on pages and in the docs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Verdict(StrEnum):
    """What a proof came to, from the mildest to the gravest. Only ``exact`` and ``tolerated`` are called proven.

    :ivar icon: the character that stands for it in tables.
    :ivar heading: its name as a heading.
    :ivar meaning: a sentence about the months it is said of.
    """

    icon: str
    heading: str
    meaning: str

    def __new__(cls, value: str, icon: str = "", heading: str = "", meaning: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.icon, member.heading, member.meaning = icon, heading, meaning
        return member

    EXACT = (
        *("exact", "✓", "Proven, exact"),
        "Every account and every voucher agrees with the service to the last digit.",
    )
    TOLERATED = (
        *("tolerated", "≈", "Proven, within tolerance"),
        "What differs is within the declared tolerance, and named below.",
    )
    BALANCES_ONLY = (
        *("balances_only", "=", "Balances compared"),
        "Some months were not read: their balances have not moved since.",
    )
    UNPROVEN = (
        *("unproven", "?", "Not proven"),
        "There was nothing to hold some postings against.",
    )
    BROKEN = (
        *("broken", "✗", "Broken"),
        "Postings and stated balances contradict each other.",
    )
    SUSPICIOUS_EMPTY = (
        *("suspicious_empty", "∅", "Suspiciously empty"),
        "Postings have vanished, yet the service's balances still move.",
    )
    UNSETTLED = (
        *("unsettled", "↻", "Unsettled"),
        "The books moved while they were read, each time.",
    )

    @property
    def label(self) -> str:
        """Its name within a sentence."""
        return "suspiciously empty" if self is Verdict.SUSPICIOUS_EMPTY else self.value.replace("_", " ")

    @property
    def is_proven(self) -> bool:
        return self in PROVEN

    @property
    def needs_attention(self) -> bool:
        """Whether a reason that leads to it is more than worth knowing."""
        return self not in (Verdict.EXACT, Verdict.BALANCES_ONLY)


PROVEN = frozenset({Verdict.EXACT, Verdict.TOLERATED})

_GRAVITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


def is_graver(verdict: Verdict, other: Verdict) -> bool:
    """Whether a verdict is graver than another."""
    return _GRAVITY[verdict] > _GRAVITY[other]


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the gravest of several verdicts; ``exact`` if there is none."""
    return max(verdicts, key=_GRAVITY.__getitem__, default=Verdict.EXACT)


class ReasonCode(StrEnum):
    """Reasons, for machines; they stay the same.

    :ivar meaning: what it says of a month.
    :ivar advice: what to do about it.
    """

    meaning: str
    advice: str

    def __new__(cls, value: str, meaning: str = "", advice: str = "") -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning, member.advice = meaning, advice
        return member

    ACCOUNT_DIFFERENCE = (
        "account_difference",
        "Opening and postings of an account do not lead to the closing balance that is stated.",
        "Run again. If it stays, compare this month's account sheet with the postings here.",
    )
    ACCOUNT_WITHOUT_POSTINGS = (
        "account_without_postings",
        "The service states that an account moved, and no posting of it came.",
        "Postings are missing. Run again; if it stays, ask for the account's sheet.",
    )
    ACCOUNT_NOT_STATED = (
        "account_not_stated",
        "Postings of an account came, and the service states no balance.",
        "See in the chart whether the account is new or was deleted, and run again.",
    )
    VOUCHER_UNBALANCED = (
        "voucher_unbalanced",
        "The postings of a voucher in this month do not sum to zero.",
        "Look at the voucher in RMA. Above the tolerance, it must be corrected there.",
    )
    COUNT_WRONG = (
        "count_wrong",
        "Not as many postings came as were announced.",
        "The answer was cut or mixed. Run again; nothing of it is to be used.",
    )
    COUNT_NOT_ANNOUNCED = (
        "count_not_announced",
        "The number of postings was not announced.",
        "The service sent no count. Run again; if it stays, its interface has changed.",
    )
    EMPTIED = (
        "emptied",
        "No posting came where some are loaded, and balances move.",
        "Ask the bookkeeper whether the month was really emptied. If so, nothing is to be done.",
    )
    BALANCES_MOVED = (
        "balances_moved",
        "The books did not stand still.",
        "Run at a quiet hour, when nobody books.",
    )
    SIGN_CHANGED = (
        "sign_changed",
        "An account is stated in the opposite sign of all months before.",
        "The account is stated the other way round. Find out why before its balances are used.",
    )
    SIGN_UNKNOWN = (
        "sign_unknown",
        "The sign of an account is not known, and this month cannot teach it.",
        "Load a longer period: a month in which the account moves shows its sign.",
    )
    SIGN_DEVIATES = (
        "sign_deviates",
        "For your information: an account is stated in another sign than its kind, as contra accounts are.",
        "Nothing is to be done.",
    )
    CLOSED_MONTH_CHANGED = (
        "closed_month_changed",
        "An alarm that leaves the verdict as it is: a month of the closed period is not what it was when it was "
        "loaded.",
        "Ask who changed a closed month, and why; reported figures may be wrong now.",
    )
    NOT_READ = (
        "not_read",
        "The month was not read, and since when its balances are the same.",
        "Nothing is to be done: the month is read in full again within a week.",
    )


@dataclass(frozen=True)
class Reason:
    """Why a verdict is what it is.

    :param text: an English sentence that names the account or voucher.
    :param verdict: the verdict that it leads to; ``exact`` for what is only worth knowing.
    """

    code: ReasonCode
    text: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.code.value}: {self.text}"

    def as_dict(self) -> dict[str, str]:
        """Return code and sentence."""
        return {"code": self.code.value, "text": self.text}
