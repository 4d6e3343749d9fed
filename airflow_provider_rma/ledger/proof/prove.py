"""The proof of one window: pure, exact arithmetic on what was read. No I/O, no clock, no state.

All amounts are CHF, raw: debit negative, credit positive. Three things are held against each other: the postings among
themselves (each voucher sums to zero), their announced number, and the service's own balances (opening + movements =
closing, account by account).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention

ZERO = Decimal(0)

#: What an account or a voucher may be off by and still count as ``tolerated``, in CHF: books of the service really are
#: off by a rappen here and there.
TOLERANCE = Decimal("0.01")

_LONGEST_REFERENCE = 40


class Verdict(StrEnum):
    """What a proof says. Only ``exact`` and ``tolerated`` are called proven."""

    EXACT = "exact"
    """Every figure agrees to the last digit."""
    TOLERATED = "tolerated"
    """Something differs, each time by no more than the declared tolerance; it is named."""
    BALANCES_ONLY = "balances_only"
    """Not read: the service states the balances that it stated when the month was last read in full."""
    UNPROVEN = "unproven"
    """There is nothing to hold the postings against, or no known way to read it."""
    BROKEN = "broken"
    """Something differs by more than the tolerance."""
    SUSPICIOUS_EMPTY = "suspicious_empty"
    """There were postings before and none came now, though the service's balances still move."""
    UNSETTLED = "unsettled"
    """The books moved while they were read, three times in a row."""


PROVEN = frozenset({Verdict.EXACT, Verdict.TOLERATED})

#: From the mildest to the gravest; the window has the gravest of what it holds.
_GRAVITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The gravest of several verdicts; ``exact`` if there is none."""
    return max(verdicts, key=_GRAVITY.__getitem__, default=Verdict.EXACT)


class ReasonCode(StrEnum):
    """Reasons, for machines; they stay the same."""

    ACCOUNT_DIFFERENCE = "account_difference"
    ACCOUNT_WITHOUT_POSTINGS = "account_without_postings"
    ACCOUNT_NOT_STATED = "account_not_stated"
    VOUCHER_UNBALANCED = "voucher_unbalanced"
    COUNT_WRONG = "count_wrong"
    COUNT_NOT_ANNOUNCED = "count_not_announced"
    EMPTIED = "emptied"
    BALANCES_MOVED = "balances_moved"
    SIGN_CHANGED = "sign_changed"
    SIGN_UNKNOWN = "sign_unknown"
    SIGN_DEVIATES = "sign_deviates"
    CLOSED_MONTH_CHANGED = "closed_month_changed"
    NOT_READ = "not_read"


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
        """Code and sentence."""
        return {"code": self.code.value, "text": self.text}


@dataclass(frozen=True)
class UnbalancedVoucher:
    """A voucher whose postings in the window do not sum to zero.

    :param module: ``ar``, ``ap`` or ``gl``.
    :param voucher_id: its id in that module.
    :param reference: invoice number or reference.
    :param difference: the sum, CHF raw.
    """

    module: str
    voucher_id: int
    reference: str
    difference: Decimal


@dataclass(frozen=True)
class Postings:
    """What the postings of a window add up to.

    :param rows: postings that came.
    :param announced: postings that the service announced, None if it did not say.
    :param movements: raw sum of each account that has postings, also if it is zero.
    :param unbalanced: the vouchers that do not sum to zero.
    """

    rows: int
    announced: int | None
    movements: Mapping[str, Decimal]
    unbalanced: Sequence[UnbalancedVoucher] = ()


@dataclass(frozen=True)
class StatedBalance:
    """What the service states of one account, as it was sent.

    :param basis: ``to``: balances up to a day, before the window and at its end; ``from_to``: the movement of the
        window.
    :param opening: with basis ``to``, None if the account was not listed.
    :param closing: likewise.
    :param movement: with basis ``from_to``, None if the account was not listed.
    """

    basis: str
    opening: Decimal | None = None
    closing: Decimal | None = None
    movement: Decimal | None = None

    @property
    def change(self) -> Decimal:
        """Movement of the window; an account that is not listed has not been moved (ledger code)."""
        if self.basis == "from_to":
            return self.movement or ZERO
        return (self.closing or ZERO) - (self.opening or ZERO)


@dataclass(frozen=True)
class AccountProof:
    """The proof of one account, raw: ``opening + movements = expected``, ``closing - expected = difference``.

    :param opening: what the service states before the window; 0 for accounts of which only a period has a figure; None
        as long as the account's sign is not known.
    :param movements: sum of the postings.
    :param closing: what the service states at the end of the window, None likewise.
    :param stands: whether it has a balance and nothing moved it.
    """

    accno: str
    opening: Decimal | None
    movements: Decimal
    closing: Decimal | None
    difference: Decimal
    stands: bool
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()

    @property
    def expected(self) -> Decimal | None:
        """The closing balance that the postings lead to."""
        return None if self.opening is None else self.opening + self.movements


@dataclass(frozen=True)
class Proof:
    """The proof of a window.

    :param reasons: all reasons, those of accounts included.
    :param accounts: proof of each account that has postings or a balance, by number; empty if the books moved.
    :param convention: the sign convention, with what this window showed.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    accounts: tuple[AccountProof, ...] = ()
    convention: SignConvention = field(default_factory=SignConvention)

    @property
    def proven(self) -> bool:
        """Whether the window may be called proven."""
        return self.verdict in PROVEN

    def without_sign(self) -> list[str]:
        """Accounts with a balance that stands still, so that nothing has shown its sign yet."""
        return [account.accno for account in self.accounts if account.opening is None and account.stands]


def unsettled(moved: Sequence[str], attempts: int, convention: SignConvention) -> Proof:
    """The proof of a window whose books did not stand still.

    :param moved: accounts whose balances differed before and after the postings were read.
    """
    named = ", ".join(moved[:5]) + (f" and {len(moved) - 5} more" if len(moved) > 5 else "")
    text = f"Balances moved while the postings were read, {attempts} times in a row; the last time of account {named}."
    return Proof(Verdict.UNSETTLED, (Reason(ReasonCode.BALANCES_MOVED, text, Verdict.UNSETTLED),), (), convention)


def prove(
    month: str,
    postings: Postings,
    stated: Mapping[str, StatedBalance],
    *,
    convention: SignConvention,
    kinds: AccountKinds,
    rows_before: int = 0,
    tolerance: Decimal = TOLERANCE,
) -> Proof:
    """Prove one window.

    :param month: name of the window.
    :param postings: what its postings add up to.
    :param stated: what the service states, by account number.
    :param convention: what is known of the signs. Where an account moves for the first time, its sign is learnt, but
        only if nothing in the window is broken.
    :param rows_before: postings of the window that the destination holds.
    :param tolerance: CHF per voucher and per account.
    """
    books = [*_count(postings), *_empty(postings, stated, rows_before), *_vouchers(postings, tolerance)]
    unread = [accno for accno in postings.movements if accno not in stated]
    everything = {**stated, **{accno: StatedBalance("from_to") for accno in unread}}
    drafts = [
        _AccountCheck.of(accno, postings.movements.get(accno), everything[accno], convention.sign(accno), tolerance)
        for accno in sorted(everything)
    ]
    sound = all(_GRAVITY[reason.verdict] < _GRAVITY[Verdict.BROKEN] for reason in books)
    sound = sound and not any(abs(draft.difference) > tolerance for draft in drafts)
    shown = {draft.accno: draft.shown for draft in drafts if draft.shown is not None}
    after = convention.with_signs(shown, month) if sound else convention
    contradiction = after.contradiction(kinds)
    if contradiction:
        after = convention
    learnt = [*_learnt(convention, after, kinds)]
    accounts = tuple(draft.proof(tolerance, contradiction or _UNSOUND, known=after) for draft in drafts)
    reasons = (*books, *learnt, *(reason for account in accounts for reason in account.reasons))
    return Proof(gravest(reason.verdict for reason in reasons), reasons, accounts, after)


_UNSOUND = "the sign in which it is stated is not known yet, and a window with breaks teaches none"


def _count(postings: Postings) -> Iterator[Reason]:
    if postings.announced is None:
        if postings.rows:
            yield Reason(
                ReasonCode.COUNT_NOT_ANNOUNCED,
                f"The service did not announce how many postings there are; {postings.rows} came.",
                Verdict.UNPROVEN,
            )
    elif postings.announced != postings.rows:
        yield Reason(
            ReasonCode.COUNT_WRONG,
            f"The service announced {postings.announced} postings and {postings.rows} came.",
            Verdict.BROKEN,
        )


def _empty(postings: Postings, stated: Mapping[str, StatedBalance], rows_before: int) -> Iterator[Reason]:
    if postings.rows or not rows_before:
        return
    moved = sorted(accno for accno, one in stated.items() if one.change)
    if moved:
        yield Reason(
            ReasonCode.EMPTIED,
            f"No posting came where {rows_before} are loaded, yet the service states that {len(moved)} accounts moved "
            f"(the first is {moved[0]}).",
            Verdict.SUSPICIOUS_EMPTY,
        )


def _vouchers(postings: Postings, tolerance: Decimal) -> Iterator[Reason]:
    for voucher in sorted(postings.unbalanced, key=lambda one: (-abs(one.difference), one.module, one.voucher_id)):
        within = abs(voucher.difference) <= tolerance
        yield Reason(
            ReasonCode.VOUCHER_UNBALANCED,
            f"Voucher {voucher.module} {voucher.voucher_id} ({_reference(voucher.reference)}) does not sum to zero but "
            f"to {chf(voucher.difference)}.",
            Verdict.TOLERATED if within else Verdict.BROKEN,
        )


def _reference(text: str) -> str:
    line = " ".join(text.split())
    short = line if len(line) <= _LONGEST_REFERENCE else line[:_LONGEST_REFERENCE] + "…"
    return f"reference {short}" if short else "without reference"


def _learnt(before: SignConvention, after: SignConvention, kinds: AccountKinds) -> Iterator[Reason]:
    for accno in after.deviations(kinds):
        if accno not in before.signs:
            yield Reason(
                ReasonCode.SIGN_DEVIATES,
                f"Account {accno} is stated with the opposite sign of its kind, as contra accounts are; taken as it is "
                "from now on.",
                Verdict.EXACT,
            )


def chf(amount: Decimal) -> str:
    """An amount for a person: at least two places, no exponent."""
    text = format(amount + ZERO, "f")
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')} CHF"


@dataclass(frozen=True)
class _AccountCheck:
    """An account before it is settled whether its sign may be learnt.

    :param movements: sum of its postings, None if there are none.
    :param sign: the known sign, else the one it shows now.
    :param shown: the sign that the window shows for the first time; None if it shows none or it is known already.
    """

    accno: str
    movements: Decimal | None
    stated: StatedBalance
    sign: int | None
    shown: int | None

    @classmethod
    def of(
        cls, accno: str, movements: Decimal | None, stated: StatedBalance, known: int | None, tolerance: Decimal
    ) -> _AccountCheck:
        sum_, change = movements or ZERO, stated.change
        if known is not None:
            return cls(accno, movements, stated, known, None)
        nearer = 1 if abs(change - sum_) <= abs(-change - sum_) else -1
        telling = abs(nearer * change - sum_) <= tolerance < abs(-nearer * change - sum_)
        return cls(accno, movements, stated, nearer, nearer if telling else None)

    @property
    def difference(self) -> Decimal:
        """What the service states less what the postings lead to."""
        return (self.sign or 1) * self.stated.change - (self.movements or ZERO)

    def proof(self, tolerance: Decimal, unlearnt: str, known: SignConvention) -> AccountProof:
        """The account's proof, its sign being known or not."""
        sign = known.sign(self.accno)
        reasons = tuple(self._reasons(tolerance, unlearnt if sign is None and self.shown is not None else ""))
        verdict = gravest(reason.verdict for reason in reasons)
        opening = closing = None
        if sign is not None:
            opening, closing = self._raw(sign)
        stands = bool(self.stated.closing) and not self.stated.change and not self.movements
        return AccountProof(
            self.accno, opening, self.movements or ZERO, closing, self.difference + ZERO, stands, verdict, reasons
        )

    def _raw(self, sign: int) -> tuple[Decimal, Decimal]:
        if self.stated.basis == "from_to":
            return ZERO, sign * self.stated.change + ZERO
        return sign * (self.stated.opening or ZERO) + ZERO, sign * (self.stated.closing or ZERO) + ZERO

    def _reasons(self, tolerance: Decimal, unlearnt: str) -> Iterator[Reason]:
        if unlearnt:
            yield Reason(
                ReasonCode.SIGN_UNKNOWN, f"Account {self.accno} cannot be proven: {unlearnt}.", Verdict.UNPROVEN
            )
        if self.difference:
            verdict = Verdict.TOLERATED if abs(self.difference) <= tolerance else Verdict.BROKEN
            yield Reason(*self._what(), verdict)

    def _what(self) -> tuple[ReasonCode, str]:
        sign, stated, name = self.sign or 1, self.stated, f"Account {self.accno}"
        change = chf(sign * stated.change)
        if self.movements is None:
            return (
                ReasonCode.ACCOUNT_WITHOUT_POSTINGS,
                f"{name} has no posting, yet the service states that it moved by {change}.",
            )
        if stated.opening is None and stated.closing is None and stated.movement is None:
            return (
                ReasonCode.ACCOUNT_NOT_STATED,
                f"{name} has postings of {chf(self.movements)}, but the service states no balance.",
            )
        if stated.change and -sign * stated.change == self.movements:
            return (
                ReasonCode.SIGN_CHANGED,
                f"{name} is stated with the opposite sign of all months before: postings of {chf(self.movements)}, "
                f"stated as {change}.",
            )
        opening, closing = self._raw(sign)
        return (
            ReasonCode.ACCOUNT_DIFFERENCE,
            f"{name}: opening {chf(opening)} and postings of {chf(self.movements)} make "
            f"{chf(opening + self.movements)}, but the service states {chf(closing)}; "
            f"difference {chf(self.difference)}.",
        )
