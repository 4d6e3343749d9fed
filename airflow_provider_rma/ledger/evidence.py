"""Evidence on one month beside its own figures: the chart, the months around it, all balances together.

The proof of a month compares postings with balances. Both could be those of other books, or shifted alike on both days.
So its openings must be the closings of the month before, or be explained by all postings of the account; all balances
together must be zero; and somebody must have shown that the answers are about these books at all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from airflow_provider_rma.exceptions import NotFoundError
from airflow_provider_rma.ledger._pyarrow import pa, pc
from airflow_provider_rma.ledger.chain import BrokenLinkError, Chain, StoredMonth
from airflow_provider_rma.ledger.proof.balances import ZERO, BalanceReader, BalanceStatement, differing
from airflow_provider_rma.ledger.proof.prove import PostingTotals, Proof, chf
from airflow_provider_rma.ledger.proof.residual import Residual, sum_balances
from airflow_provider_rma.ledger.proof.sign_convention import SignConvention
from airflow_provider_rma.ledger.proof.verdicts import PROVEN, Reason, ReasonCode, Verdict
from airflow_provider_rma.ledger.windows import Window

if TYPE_CHECKING:
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.codecs.wire import ContentType
    from airflow_provider_rma.ledger.changes import Changes

log = logging.getLogger(__name__)

#: Columns of postings that tell the direction.
DIRECTION_COLUMNS = ("accno", "amount", "module", "reference", "transdate")
#: Invoices that are looked up at most: a credit note, or the payment of an earlier invoice, tells nothing.
_INVOICES = 3
#: Documents of which postings are added up, to choose from.
_DOCUMENTS = 50
_NAMED = 5
#: A unit of the last decimal that the service states.
_UNIT = Decimal("0.0001")


class EvidenceRun(Protocol):
    """The part of a run that evidence is taken from."""

    client: RunMyAccountsClient
    content_type: ContentType
    tolerance: Decimal
    chain: Chain
    residuals: dict[Window, Decimal]

    @property
    def convention(self) -> SignConvention: ...

    def chart_numbers(self) -> set[str]: ...

    def receivables(self) -> set[str]: ...

    def look_up(self, accno: str, last: date) -> tuple[Decimal, bool]: ...


@dataclass
class MonthEvidence:
    """Facts about a month from before it is read.

    :param before: the month before, as the warehouse holds it; None if it is not proven there.
    :param own: the month itself likewise.
    :param rows_before: postings that are loaded.
    :param is_founded_later: whether a later month is proven that opens without any balance.
    :param renumbered: accounts that the month is loaded with under a number that they have no more, new by old number.
    :ivar calls: requests made for evidence.
    """

    run: EvidenceRun
    window: Window
    before: StoredMonth | None
    own: StoredMonth | None
    rows_before: int
    is_founded_later: bool
    renumbered: Mapping[str, str] = field(default_factory=dict)
    calls: int = field(init=False, default=0)

    def check_link(self, statement: BalanceStatement) -> None:
        """Check the link before the month, before it is read.

        :raises BrokenLinkError: it is broken, and has not been followed yet.
        """
        if self._is_nothing(statement):
            return
        chain = self.run.chain
        if not chain.may_follow(self.window):
            return
        broken = chain.broken_accounts(self.window, self.before, statement)
        if not broken and self.before is not None and self.window.previous not in chain.read:
            broken = chain.compare_year(self.window)
        if broken:
            raise BrokenLinkError(self.window, broken)

    def judge(self, proof: Proof, postings: PostingTotals, statement: BalanceStatement) -> Proof:
        """Add what the evidence says to a proof.

        :raises BrokenLinkError: the month does not open as the one before closed, and that can be followed.
        """
        proof = proof.with_reasons(self._renumbered_reasons())
        if not _is_sound(proof):
            return proof.with_reasons(self._exchange_reasons(proof, statement))
        if not postings.rows and self._is_nothing(statement):
            return proof.with_reasons(self._nothing_reasons())
        proof = proof.with_reasons(self._chart_reasons(postings, statement))
        proof = proof.with_reasons(self._opening_reasons(statement, proof.convention))
        proof = proof.with_reasons(_contradiction_reasons(statement))
        return self._judge_residual(proof, postings, statement) if _is_sound(proof) else proof

    def _renumbered_reasons(self) -> Iterator[Reason]:
        for old, new in sorted(self.renumbered.items()):
            yield Reason(
                ReasonCode.RENUMBERED, f"Account {old} has the number {new} now, and is loaded under it.", Verdict.EXACT
            )

    # ------------------------------------------------------------------ empty answers, the chart

    def _is_nothing(self, statement: BalanceStatement) -> bool:
        return statement.is_empty

    def _nothing_reasons(self) -> Iterator[Reason]:
        own, before = self.own, self.before
        held = own is not None and (own.closings or own.openings or own.movements)
        if self.rows_before or held or (before is not None and before.closings):
            yield Reason(
                ReasonCode.EMPTIED,
                f"No account, balance or posting came, where {self.rows_before} postings and balances are loaded.",
                Verdict.SUSPICIOUS_EMPTY,
            )
        elif not self.is_founded_later:
            yield Reason(
                ReasonCode.NOTHING_STATED,
                "No account, balance or posting came: nothing shows that the answers are about these books.",
                Verdict.UNPROVEN,
            )

    def _chart_reasons(self, postings: PostingTotals, statement: BalanceStatement) -> Iterator[Reason]:
        missing = sorted((statement.numbers() | postings.movements.keys()) - self.run.chart_numbers())
        if missing:
            yield Reason(
                ReasonCode.NOT_IN_CHART,
                f"The chart of accounts does not have {_listed(missing)}, of which there are balances or postings.",
                Verdict.UNPROVEN,
            )

    def _exchange_reasons(self, proof: Proof, statement: BalanceStatement) -> Iterator[Reason]:
        """Hold postings that differ against what the service says moved without the rows of exchange differences."""
        differing_accounts = [account for account in proof.accounts if account.difference]
        is_contradicted = any(account.accno in statement.contradictions for account in differing_accounts)
        if proof.verdict is not Verdict.BROKEN or not differing_accounts or is_contradicted:
            return
        self.calls += 1
        reader = BalanceReader(self.run.client, self.run.content_type)
        plain = reader.read(self.window.start, self.window.end, main_currency=False)
        if all(
            abs(abs(plain.get(account.accno, ZERO)) - abs(account.movements)) <= _UNIT
            and abs(abs(account.movements + account.difference) - abs(account.movements)) > _UNIT
            for account in differing_accounts
        ):
            yield Reason(
                ReasonCode.EXCHANGE_ROWS_MISSING,
                "The list lacks the rows of exchange differences: what is missing is exactly their amounts, of account "
                f"{_listed([account.accno for account in differing_accounts])}.",
                Verdict.BROKEN,
            )

    # ------------------------------------------------------------------ openings

    def _opening_reasons(self, statement: BalanceStatement, convention: SignConvention) -> Iterator[Reason]:
        chain = self.run.chain
        broken = chain.broken_accounts(self.window, self.before, statement)
        if broken and chain.may_follow(self.window):
            raise BrokenLinkError(self.window, broken)
        if broken and self.window in chain.beyond:
            months = chain.beyond[self.window]
            yield Reason(
                ReasonCode.CHAIN_TOO_LONG,
                f"The month does not open as {self.window.previous} closed (account {_listed(broken)}), and neither "
                f"do the {len(months)} months before it, {months[0]} to {months[-1]}: more than max_chain_months.",
                Verdict.UNPROVEN,
            )
        elif broken and self.window.previous in chain.read:
            yield Reason(
                ReasonCode.LINK_BROKEN,
                f"The month does not open as {self.window.previous} closed, though both were read in this run: account "
                f"{_listed(broken)}.",
                Verdict.BROKEN_CHAIN,
            )
        else:
            moved = broken or self._moved_since_own(statement)
            unexplained = [*self._explain_openings(moved or self._doubted_openings(), statement, convention)]
            yield from unexplained
            if moved and not unexplained:
                yield Reason(
                    ReasonCode.OPENING_MOVED,
                    "Openings are others than when the month was loaded, as the postings before it are: account "
                    f"{_listed(moved)}.",
                    Verdict.EXACT,
                )

    def _doubted_openings(self) -> list[str]:
        """List the accounts to whose closing the month before did not lead, when this run read it."""
        return self.run.chain.doubted.get(self.window.previous, [])

    def _moved_since_own(self, statement: BalanceStatement) -> list[str]:
        """List the accounts whose opening is another than when the month was loaded, if nothing else tells."""
        if self.own is None or self.before is not None or self.window.previous in self.run.chain.read:
            return []
        return differing(self.own.openings, statement.openings)

    def _explain_openings(
        self, accnos: list[str], statement: BalanceStatement, convention: SignConvention
    ) -> Iterator[Reason]:
        """Hold openings against all postings of the account before the month."""
        openings = {**(statement.others_before or {}), **statement.openings}
        for accno in accnos:
            total, opening = self._look_up(accno, self.window.day_before), openings.get(accno, ZERO)
            sign = convention.sign(accno) or convention.expected_sign(accno)
            signs = (1, -1) if sign is None else (sign,)
            if not any(abs(sign * opening - total) <= _UNIT for sign in signs):
                yield Reason(
                    ReasonCode.BALANCE_UNEXPLAINED,
                    f"The opening of account {accno} is {chf(opening)} as stated, and all its postings before the "
                    f"month make {chf(total)}.",
                    Verdict.BROKEN,
                )
                return

    def _look_up(self, accno: str, last: date) -> Decimal:
        total, is_new = self.run.look_up(accno, last)
        self.calls += is_new
        return total

    # ------------------------------------------------------------------ signs

    def find_signs(self, accnos: list[str], statement: BalanceStatement) -> tuple[dict[str, int], list[Reason]]:
        """Find the signs of accounts that have a balance and do not move, from all their postings."""
        signs, reasons = dict[str, int](), list[Reason]()
        amounts = {**(statement.others or {}), **statement.closings}
        for accno in accnos:
            stated, total = amounts.get(accno, ZERO), self._look_up(accno, self.window.end)
            fitting = [sign for sign in (1, -1) if abs(sign * total - stated) <= self.run.tolerance]
            if len(fitting) == 1:
                signs[accno] = fitting[0]
            elif not fitting:
                text = f"Account {accno} is stated with {chf(stated)}, and all its postings make {chf(total)}."
                reasons.append(Reason(ReasonCode.BALANCE_UNEXPLAINED, text, Verdict.UNPROVEN))
        return signs, reasons

    def find_direction(self, postings: Iterable[pa.RecordBatch]) -> tuple[bool | None, Reason | None]:
        """Find whether debits are negative, from an invoice with a positive amount: its receivables posting is a debit.

        :param postings: the month's, :data:`DIRECTION_COLUMNS`.
        :returns: None if no invoice tells; and what is to be said of a month that is not proven therefore.
        """
        for (number, day), amount in self._receivables(postings):
            self.calls += 1
            try:
                invoice = self.run.client.get_invoice(number, content_type=self.run.content_type)
            except NotFoundError:
                continue
            is_same = invoice.get("invnumber") == number and invoice.get("transdate") == day
            if not is_same or (invoice.get("amount") or ZERO) <= 0:
                continue
            if amount < 0:
                log.info("%s: invoice %s shows that debits are negative.", self.window, number)
                return True, None
            text = f"Invoice {number} has a positive amount, and its receivables posting is a credit of {chf(amount)}."
            return False, Reason(ReasonCode.POSTINGS_TURNED, text, Verdict.UNPROVEN)
        text = "The signs in which balances are stated fit two readings alike, and no invoice of the month tells which."
        return None, Reason(ReasonCode.SIGN_UNKNOWN, text, Verdict.UNPROVEN)

    def _receivables(self, postings: Iterable[pa.RecordBatch]) -> list[tuple[tuple[str, date], Decimal]]:
        """Sum the receivables postings of the month's first documents, by number and day."""
        accounts, sums = pa.array(sorted(self.run.receivables()), pa.string()), dict[tuple[str, date], Decimal]()
        for batch in postings:
            is_receivable = pc.and_(pc.equal(batch["module"], "ar"), pc.is_in(batch["accno"], accounts))
            rows = pa.Table.from_batches([batch]).filter(pc.and_kleene(is_receivable, pc.is_valid(batch["reference"])))
            grouped = rows.group_by(["reference", "transdate"], use_threads=False).aggregate([("amount", "sum")])
            for row in grouped.to_pylist():
                key = row["reference"], row["transdate"]
                if key in sums or len(sums) < _DOCUMENTS:
                    sums[key] = sums.get(key, ZERO) + row["amount_sum"]
        return [(key, amount) for key, amount in sums.items() if key[0] and amount][:_INVOICES]

    # ------------------------------------------------------------------ all balances together

    def _judge_residual(self, proof: Proof, postings: PostingTotals, statement: BalanceStatement) -> Proof:
        if statement.cumulated is None:
            return proof
        proof, residual = self._sum_balances(proof, statement, [])
        movement = sum(postings.movements.values(), ZERO)
        if residual.assumed and not self._is_explained(residual, residual.amount - movement, proof.convention):
            proof, residual = self._sum_balances(proof, statement, [*residual.assumed])
        old = residual.amount - movement
        proof = replace(proof, books_off_by=residual.amount)
        return proof.with_reasons(self._residual_reasons(residual, old, proof.convention))

    def _sum_balances(self, proof: Proof, statement: BalanceStatement, accnos: list[str]) -> tuple[Proof, Residual]:
        """Sum all balances; the signs of some accounts, and of those of which nothing tells it, are looked up."""
        residual = sum_balances(statement, proof.convention)
        signs, reasons = self.find_signs([*accnos, *residual.unknown], statement)
        if signs or reasons:
            learned = proof.convention.with_signs(signs, self.window.name)
            proof = replace(proof.with_reasons(reasons), convention=learned)
            residual = sum_balances(statement, learned)
        return proof, residual

    def _known(self, convention: SignConvention) -> list[Decimal]:
        """Residuals before the month that were proven, or accepted by somebody."""
        known = [Decimal(text) for text in convention.accepted]
        before, own = self.before, self.own
        candidates: Mapping[str, Decimal | None] = {
            "run": self.run.residuals.get(self.window.previous),
            "before": before.books_off_by if before is not None else None,
            "own": own.books_off_before if own is not None else None,
        }
        return known + [amount for amount in candidates.values() if amount is not None]

    def _is_explained(self, residual: Residual, old: Decimal, convention: SignConvention) -> bool:
        named = self.run.convention.explained_before(self.window.name)
        is_small = min(abs(old), abs(old - named)) <= max(self.run.tolerance, residual.rounding)
        return is_small or any(residual.is_near(old, known) for known in self._known(convention))

    def _residual_reasons(self, residual: Residual, old: Decimal, convention: SignConvention) -> Iterator[Reason]:
        if self._is_explained(residual, old, convention):
            return
        text = f"All balances before the month together are {chf(old)} raw instead of zero, and no voucher explains it"
        remedy = f"load the months before, or accept it with `rma ledger residual --accept {old:.2f} --destination …`"
        yield Reason(ReasonCode.BOOKS_OFF, f"{text}: {remedy}.", Verdict.UNPROVEN)


def _is_sound(proof: Proof) -> bool:
    """Whether nothing is wrong but vouchers that the books themselves hold unbalanced, and signs that a month with such
    vouchers does not teach."""
    graver = {reason.code for reason in proof.reasons if reason.verdict not in PROVEN}
    if ReasonCode.VOUCHER_UNBALANCED in graver:
        graver -= {ReasonCode.VOUCHER_UNBALANCED, ReasonCode.SIGN_UNKNOWN}
    return not graver and (proof.verdict in PROVEN or bool(proof.reasons))


def gone_reasons(changes: Changes) -> Iterator[Reason]:
    """Name the vouchers that are loaded and did not come, of a reading that is refused.

    :param changes: what became of the vouchers that are loaded.
    """
    gone = changes.counts.get("removed", 0)
    if gone:
        named = ", ".join(changes.first["removed"]) + (", …" if gone > len(changes.first["removed"]) else "")
        yield Reason(
            ReasonCode.VOUCHERS_GONE,
            f"{gone} vouchers that are loaded did not come: {named}.",
            Verdict.BROKEN,
        )


def _contradiction_reasons(statement: BalanceStatement) -> Iterator[Reason]:
    if statement.contradictions:
        yield Reason(
            ReasonCode.STATEMENTS_DIFFER,
            "Balances before, at the end, since the beginning, and what the service says moved contradict each other: "
            f"account {_listed(sorted(statement.contradictions))}.",
            Verdict.BROKEN,
        )


def _listed(accnos: list[str]) -> str:
    more = len(accnos) - _NAMED
    return ", ".join(accnos[:_NAMED]) + (f" and {more} more" if more > 0 else "")
