"""The proof of one window: pure, exact arithmetic on what was read. No I/O, no clock, no state.

All amounts are CHF, raw: debit negative, credit positive. Three things are held against each other: the postings among
themselves (each voucher sums to zero), their announced number, and the service's own balances (opening + movements =
closing, account by account).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from airflow_provider_rma.ledger.proof.accounts import AccountKinds
from airflow_provider_rma.ledger.proof.balances import STATED_SCALE, ZERO, StatedBalance
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.proof.verdicts import Reason, ReasonCode, Verdict, gravest, is_graver

#: What an account or a voucher may be off by and still count as ``tolerated``, in CHF: books of the service really are
#: off by a rappen here and there.
TOLERANCE = Decimal("0.01")

_LONGEST_REFERENCE = 40


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
class PostingTotals:
    """Sums of the postings of a window.

    :param rows: postings that came.
    :param announced: postings that the service announced, None if it did not say.
    :param movements: raw sum of each account that has postings, also if it is zero.
    :param unbalanced: the vouchers that do not sum to zero.
    :param doubled: line numbers that came more than once.
    """

    rows: int
    announced: int | None
    movements: Mapping[str, Decimal]
    unbalanced: Sequence[UnbalancedVoucher] = ()
    doubled: Sequence[int] = ()


@dataclass(frozen=True)
class AccountProof:
    """The proof of one account, raw: ``opening + movements = expected``, ``closing - expected = difference``.

    :param opening: what the service states before the window; 0 for accounts of which only a period has a figure; None
        as long as the account's sign is not known.
    :param movements: sum of the postings.
    :param closing: what the service states at the end of the window; None as long as the sign is not known.
    :param is_idle: whether it has a balance and nothing moved it.
    """

    accno: str
    opening: Decimal | None
    movements: Decimal
    closing: Decimal | None
    difference: Decimal
    is_idle: bool
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
    :param books_off_by: the residual of the books at its end, raw; None if it was not worked out.
    :param is_ambiguous: whether the signs that it shows fit two readings alike.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    accounts: tuple[AccountProof, ...] = ()
    convention: SignConvention = field(default_factory=SignConvention)
    books_off_by: Decimal | None = None
    is_ambiguous: bool = False

    def with_reasons(self, reasons: Iterable[Reason]) -> Proof:
        """The same with further reasons, and the verdict to which they lead."""
        added = tuple(reasons)
        if not added:
            return self
        verdict = gravest([self.verdict, *(reason.verdict for reason in added)])
        return replace(self, verdict=verdict, reasons=(*self.reasons, *added))

    def accounts_without_sign(self) -> list[str]:
        """List the accounts with a balance that does not move, so that nothing has shown its sign yet."""
        return [account.accno for account in self.accounts if account.opening is None and account.is_idle]


def unsettled_proof(moved: Sequence[str], attempts: int, convention: SignConvention) -> Proof:
    """Make the proof of a window whose books did not stand still.

    :param moved: accounts whose balances differed before and after the postings were read.
    """
    named = ", ".join(moved[:5]) + (f" and {len(moved) - 5} more" if len(moved) > 5 else "")
    text = f"Balances moved while the postings were read, {attempts} times in a row; the last time of account {named}."
    return Proof(Verdict.UNSETTLED, (Reason(ReasonCode.BALANCES_MOVED, text, Verdict.UNSETTLED),), (), convention)


def prove(
    month: str,
    postings: PostingTotals,
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
    :param convention: what is known of the signs. Where an account moves for the first time, its sign is learned, but
        only if nothing in the window is broken.
    :param rows_before: postings of the window that the destination holds.
    :param tolerance: CHF per voucher and per account.
    """
    books = [
        *_count_reasons(postings),
        *_emptied_reasons(postings, stated, rows_before),
        *_doubled_reasons(postings),
        *_voucher_reasons(postings, tolerance),
    ]
    not_listed = {accno: StatedBalance("from_to") for accno in postings.movements if accno not in stated}
    balances = {**stated, **not_listed}
    checks = [
        _AccountCheck.begin(accno, postings.movements.get(accno), balances[accno], convention.sign(accno), tolerance)
        for accno in sorted(balances)
    ]
    is_sound = all(is_graver(Verdict.BROKEN, reason.verdict) for reason in books)
    is_sound = is_sound and not any(abs(check.difference) > tolerance for check in checks)
    shown = {check.accno: check.shown for check in checks if check.shown is not None}
    learned = convention.with_signs(shown, month) if is_sound else convention
    weights = {check.accno: check.weight for check in checks}
    is_ambiguous = bool(shown) and learned.is_ambiguous(weights)
    contradiction = learned.contradiction(kinds, weights, convention) if shown or convention.signs else ""
    if contradiction:
        learned = convention
    deviations = _deviation_reasons(convention, learned, kinds)
    accounts = tuple(check.proof(tolerance, contradiction or _UNSOUND, known=learned) for check in checks)
    reasons = (*books, *deviations, *(reason for account in accounts for reason in account.reasons))
    verdict = gravest(reason.verdict for reason in reasons)
    return Proof(verdict, reasons, accounts, learned, is_ambiguous=is_ambiguous)


_UNSOUND = "the sign in which it is stated is not known yet, and a window with breaks teaches none"


def _count_reasons(postings: PostingTotals) -> Iterator[Reason]:
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


def _emptied_reasons(
    postings: PostingTotals, stated: Mapping[str, StatedBalance], rows_before: int
) -> Iterator[Reason]:
    if postings.rows or not rows_before:
        return
    moved = sorted(accno for accno, balance in stated.items() if balance.change)
    if moved:
        yield Reason(
            ReasonCode.EMPTIED,
            f"No posting came where {rows_before} are loaded, yet the service states that {len(moved)} accounts moved "
            f"(the first is {moved[0]}).",
            Verdict.SUSPICIOUS_EMPTY,
        )


def _doubled_reasons(postings: PostingTotals) -> Iterator[Reason]:
    if postings.doubled:
        named = ", ".join(map(str, postings.doubled[:5]))
        more = f" and {len(postings.doubled) - 5} more" if len(postings.doubled) > 5 else ""
        yield Reason(
            ReasonCode.ENTRY_TWICE,
            f"Line numbers (entry_id) came more than once: {named}{more}.",
            Verdict.BROKEN,
        )


def _voucher_reasons(postings: PostingTotals, tolerance: Decimal) -> Iterator[Reason]:
    for voucher in sorted(postings.unbalanced, key=_voucher_order):
        within = abs(voucher.difference) <= tolerance
        name = f"{voucher.module} {voucher.voucher_id} ({_format_reference(voucher.reference)})"
        yield Reason(
            ReasonCode.VOUCHER_UNBALANCED,
            f"Voucher {name} does not sum to zero but to {chf(voucher.difference)}.",
            Verdict.TOLERATED if within else Verdict.BROKEN,
        )


def _voucher_order(voucher: UnbalancedVoucher) -> tuple[Decimal, str, int]:
    return -abs(voucher.difference), voucher.module, voucher.voucher_id


def _format_reference(text: str) -> str:
    line = " ".join(text.split())
    short = line if len(line) <= _LONGEST_REFERENCE else line[:_LONGEST_REFERENCE] + "…"
    return f"reference {short}" if short else "without reference"


def _deviation_reasons(before: SignConvention, after: SignConvention, kinds: AccountKinds) -> Iterator[Reason]:
    for accno in after.deviations(kinds):
        if accno not in before.signs:
            yield Reason(
                ReasonCode.SIGN_DEVIATES,
                f"Account {accno} is stated with the opposite sign of its kind, as contra accounts are; taken as it is "
                "from now on.",
                Verdict.EXACT,
            )


def chf(amount: Decimal) -> str:
    """Format an amount for a person: at least two places, no exponent."""
    text = format(amount + ZERO, "f")
    whole, _, places = text.partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')} CHF"


@dataclass(frozen=True)
class _AccountCheck:
    """An account before it is known whether its sign may be learned.

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
    def begin(
        cls, accno: str, movements: Decimal | None, stated: StatedBalance, known: int | None, tolerance: Decimal
    ) -> _AccountCheck:
        moved, change = movements or ZERO, stated.change
        if known is not None:
            return cls(accno, movements, stated, known, None)
        nearer = 1 if abs(change - moved) <= abs(-change - moved) else -1
        is_telling = abs(nearer * change - moved) <= tolerance < abs(-nearer * change - moved)
        return cls(accno, movements, stated, nearer, nearer if is_telling else None)

    @property
    def difference(self) -> Decimal:
        """The change that the service states less the sum of the postings, but for the rounding of the former."""
        exact = (self.sign or 1) * self.stated.change - (self.movements or ZERO)
        return ZERO if abs(exact) <= self._rounding else exact

    @property
    def weight(self) -> Decimal:
        """The largest amount of the account in the window."""
        return max(abs(self.movements or ZERO), abs(self.stated.change), abs(self.stated.closing or ZERO))

    @property
    def _rounding(self) -> Decimal:
        """Loss by rounding two balances, or a movement. Without further decimals in the postings nothing is lost."""
        moved = self.movements or ZERO
        if moved == round(moved, STATED_SCALE):
            return ZERO
        unit = Decimal(1).scaleb(-STATED_SCALE)
        return unit if self.stated.basis == "to" else unit / 2

    def proof(self, tolerance: Decimal, untaught: str, known: SignConvention) -> AccountProof:
        """Prove the account, its sign being known or not.

        :param untaught: why a sign that the window shows is not taken.
        """
        sign = known.sign(self.accno)
        reasons = tuple(self._reasons(tolerance, untaught if sign is None and self.shown is not None else ""))
        verdict = gravest(reason.verdict for reason in reasons)
        opening = closing = None
        if sign is not None:
            opening, closing = self._raw(sign)
        is_idle = bool(self.stated.closing) and not self.stated.change and not self.movements
        return AccountProof(
            self.accno, opening, self.movements or ZERO, closing, self.difference + ZERO, is_idle, verdict, reasons
        )

    def _raw(self, sign: int) -> tuple[Decimal, Decimal]:
        if self.stated.basis == "from_to":
            return ZERO, sign * self.stated.change + ZERO
        return sign * (self.stated.opening or ZERO) + ZERO, sign * (self.stated.closing or ZERO) + ZERO

    def _reasons(self, tolerance: Decimal, untaught: str) -> Iterator[Reason]:
        if untaught:
            yield Reason(
                ReasonCode.SIGN_UNKNOWN, f"Account {self.accno} cannot be proven: {untaught}.", Verdict.UNPROVEN
            )
        if self.difference:
            verdict = Verdict.TOLERATED if abs(self.difference) <= tolerance else Verdict.BROKEN
            yield Reason(*self._explain(), verdict)

    def _explain(self) -> tuple[ReasonCode, str]:
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
