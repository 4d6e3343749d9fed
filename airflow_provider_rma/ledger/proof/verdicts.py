"""Verdicts and reasons, with the sentences that people read about them on pages and in the docs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from airflow_provider_rma.described_enum import DescribedEnum


class Verdict(DescribedEnum):
    """Results of a proof, from the mildest to the gravest. Only ``exact`` and ``tolerated`` are called proven.

    :ivar icon: the character that stands for it in tables.
    :ivar heading: its name as a heading.
    """

    icon: str
    heading: str

    def __new__(cls, value: str, icon: str = "", heading: str = "", meaning: str = "", advice: str = "") -> Self:
        """Make a member. The defaults are for type checkers only, to whom looking one up is making one."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.icon, member.heading = icon, heading
        member.meaning, member.advice = meaning, advice
        return member

    EXACT = (
        *("exact", "✓", "Proven, exact"),
        "every account and every voucher agrees with the service to the last digit",
        "Nothing.",
    )
    TOLERATED = (
        *("tolerated", "≈", "Proven, within tolerance"),
        "what differs is within the declared tolerance, and named below",
        "Tell the accountant which voucher; saving it again usually repairs it.",
    )
    BALANCES_ONLY = (
        *("balances_only", "=", "Balances compared"),
        "some months were not read: their balances have not moved since",
        "Nothing; within a week the month is read in full.",
    )
    UNPROVEN = (
        *("unproven", "?", "Not proven"),
        "some postings could not be checked",
        "Read the reason. A sign becomes known once the account moves in a month without breaks.",
    )
    BROKEN = (
        *("broken", "✗", "Broken"),
        "postings and stated balances contradict each other",
        "See the reasons below. If the voucher is wrong in the books, have it corrected; if not, the response was "
        "incomplete: run again, and report it if it stays.",
    )
    BROKEN_CHAIN = (
        *("broken_chain", "⛓", "Broken chain"),
        "a month does not open as the one before closed, though both were read in the same run",
        "Run again at a quiet hour. If it stays, the service contradicts itself: report it.",
    )
    SUSPICIOUS_EMPTY = (
        *("suspicious_empty", "∅", "Suspiciously empty"),
        "postings have vanished, yet the service's balances still move",
        "Run again. If it stays, ask the service: its list of postings is not working.",
    )
    UNSETTLED = (
        *("unsettled", "↻", "Unsettled"),
        "the books moved while they were read, each time",
        "Nothing: the task is retried. Choose an hour at which nobody books.",
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


class ReasonCode(DescribedEnum):
    """Reasons, for machines; they stay the same."""

    ACCOUNT_DIFFERENCE = (
        "account_difference",
        "opening and postings of an account do not lead to the closing balance that is stated",
        "Run again. If it stays, compare this month's account sheet with the postings here.",
    )
    ACCOUNT_WITHOUT_POSTINGS = (
        "account_without_postings",
        "the service states that an account moved, and no posting of it came",
        "Postings are missing. Run again; if it stays, ask for the account's sheet.",
    )
    ACCOUNT_NOT_STATED = (
        "account_not_stated",
        "postings of an account came, and the service states no balance",
        "See in the chart whether the account is new or was deleted, and run again.",
    )
    VOUCHER_UNBALANCED = (
        "voucher_unbalanced",
        "the postings of a voucher in this month do not sum to zero",
        "Look at the voucher in RMA. Above the tolerance, it must be corrected there.",
    )
    READ_FAILED = (
        "read_failed",
        "the month could not be had from the service, or its answers could not be read",
        "Read the message. The other months are done; run again, and report an answer that stays unreadable.",
    )
    COUNT_WRONG = (
        "count_wrong",
        "not as many postings came as were announced",
        "The answer was cut or mixed. Run again; nothing of it is to be used.",
    )
    COUNT_NOT_ANNOUNCED = (
        "count_not_announced",
        "the number of postings was not announced",
        "The service sent no count. Run again; if it stays, its interface has changed.",
    )
    EMPTIED = (
        "emptied",
        "no posting came where some are loaded, and balances move",
        "Ask the bookkeeper whether the month was really emptied. If so, nothing is to be done.",
    )
    BALANCES_MOVED = (
        "balances_moved",
        "the books did not stand still",
        "Run at a quiet hour, when nobody books.",
    )
    STATEMENTS_DIFFER = (
        "statements_differ",
        "two balances that the service states of an account contradict each other",
        "Run again. If it stays, ask the service: its balances are not to be relied on.",
    )
    ENTRY_TWICE = (
        "entry_twice",
        "a line number came more than once in a month",
        "The answer was mixed. Run again; if it stays, report it.",
    )
    EXCHANGE_ROWS_MISSING = (
        "exchange_rows_missing",
        "the list lacks the rows of exchange differences: what is missing is exactly their amounts",
        "Ask the service: its list of postings leaves out exchange rows.",
    )
    VOUCHERS_GONE = (
        "vouchers_gone",
        "vouchers that are loaded did not come, and the balances do not agree with that",
        "Look at the vouchers in RMA. If they are there, run again: the list was incomplete.",
    )
    NOTHING_STATED = (
        "nothing_stated",
        "neither account, balance nor posting came, so nothing shows whose books these are",
        "Check period and tenant. Months before a company was founded are proven once a later month is.",
    )
    NOT_IN_CHART = (
        "not_in_chart",
        "an account with balances or postings is not in the chart of accounts",
        "Run again. If it stays, ask for the chart of accounts: it is incomplete.",
    )
    OPENING_MOVED = (
        "opening_moved",
        "for your information: openings are others than before, and the postings before the month explain it",
        "Nothing is to be done. Load the months before if reports need them.",
    )
    BALANCE_UNEXPLAINED = (
        "balance_unexplained",
        "a balance is not what all postings of the account add up to",
        "Run again. If it stays, the balance is of other books, or of an account that was changed: report it.",
    )
    BOOKS_OFF = (
        "books_off",
        "all balances together are not zero, and no voucher explains it",
        "Load the months before, so that the vouchers are named; or accept the amount by command.",
    )
    LINK_BROKEN = (
        "link_broken",
        "a month does not open as the one before closed",
        "Run again at a quiet hour. If it stays, report it.",
    )
    CHAIN_TOO_LONG = (
        "chain_too_long",
        "bookings in months further back than a run may follow",
        "Read the months that are named again, with from_date or a larger max_chain_months.",
    )
    OPENING_STALE = (
        "opening_stale",
        "somebody has booked in an earlier month since, so the month opens otherwise now; it was not read again",
        "Read the month again, with from_date and to_date; the months before it are right.",
    )
    RENUMBERED = (
        "renumbered",
        "for your information: an account has got another number, and the month was read again under the new one",
        "Nothing is to be done here. Reports and mappings that name the old number need the new one.",
    )
    SIGN_CHANGED = (
        "sign_changed",
        "an account is stated in the opposite sign of all months before",
        "The account is stated the other way round. Find out why before its balances are used.",
    )
    SIGN_UNKNOWN = (
        "sign_unknown",
        "the sign of an account is not known, and this month cannot teach it",
        "Load a longer period: a month in which the account moves shows its sign.",
    )
    POSTINGS_TURNED = (
        "postings_turned",
        "the receivables posting of an invoice with a positive amount is a credit",
        "Debits and credits of the postings are turned. Ask the service; nothing of it is to be used.",
    )
    SIGN_DEVIATES = (
        "sign_deviates",
        "for your information: an account is stated in another sign than its kind, as contra accounts are",
        "Nothing is to be done.",
    )
    CLOSED_MONTH_CHANGED = (
        "closed_month_changed",
        "an alarm that leaves the verdict as it is: a month of the closed period is not what it was when it was loaded",
        "Ask who changed a closed month, and why; reported figures may be wrong now.",
    )
    NOT_READ = (
        "not_read",
        "the month was not read; its text says since when the balances are the same",
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
