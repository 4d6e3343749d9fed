"""Cancel invoices in Run my Accounts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow_provider_rma.operators.base import InvoiceWriteOperator
from airflow_provider_rma.operators.parameters import check_parameters

if TYPE_CHECKING:
    from airflow_provider_rma.billing.files import RunFolder
    from airflow_provider_rma.billing.journal.store import Journal
    from airflow_provider_rma.client.client import RunMyAccountsClient


class RunMyAccountsCancelInvoicesOperator(InvoiceWriteOperator):
    """Cancel booked invoices, each by a credit note that mirrors it.

    The credit note has the original's number with a suffix, and is billed under the same guarantee as an invoice: never
    one twice, none lost. Run it again as often as you like: what is cancelled already stays ``unchanged``. If any of
    the numbers cannot be cancelled, nothing is sent, and the task names all reasons.

    .. seealso:: :doc:`/cancellation`

    :param numbers: numbers of the invoices to be cancelled: a list, one, or the result of an upstream task. (templated)
    :param suffix: what the credit note's number has behind the original's. (templated)
    :param transdate: date of the credit notes, ``YYYY-MM-DD`` or a date; the date of each original by default, so that
        a retry after midnight means the same document. (templated)
    :param reason: why, for the credit notes' internal notes, which are not printed. (templated)
    :param rma_conn_id: connection of the tenant. (templated)
    :param allow_currency: further currencies that may be billed beside CHF (ISO 4217).
    :param max_count: documents that one run may send.
    :param max_amount: sum of the amounts (without sign) that one run may send, in CHF.
    :param check_master_data: look customers, articles and accounts up before anything is sent.
    :param absence_check: how a number is proven absent: ``full_list`` reads all invoices once more, ``by_number`` asks
        for each number. The originals are found in the list in any case.
    :param write_recovery_tag: end the internal notes of what is sent with a recovery tag, from which a lost journal can
        be rebuilt.
    :param output_path: folder for outcome and reject files; ``[rma] storage_path`` by default. (templated)
    :param fail_on: outcomes that fail the task; all but ``created`` and ``unchanged`` by default.
    :param date_range: first and last day that a credit note's date may have; 1900 to 2100 by default.
    :param settle_time: seconds after a lost reply within which RMA may still book the document.
    :param content_type: ``json`` or ``xml``; what the connection says by default.
    :returns: counts by outcome of the credit notes, totals in CHF as text, and the paths of the outcome and reject
        files.
    """

    template_fields: Sequence[str] = ("rma_conn_id", "numbers", "suffix", "transdate", "reason", "output_path")

    def __init__(
        self,
        *,
        numbers: Any,
        suffix: str = "-S",
        transdate: date | str | None = None,
        reason: str = "",
        fail_on: Collection[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.numbers = numbers
        self.suffix = suffix
        self.transdate = transdate
        self.reason = reason
        self.fail_on = fail_on
        check_parameters(self, numbers=numbers, suffix=suffix, transdate=transdate, reason=reason, fail_on=fail_on)

    def _carry_out(self, client: RunMyAccountsClient, journal: Journal, folder: RunFolder) -> dict[str, Any]:
        from airflow_provider_rma.billing.cancellation import (
            Cancellation,
            mirror_invoices,
            read_numbers,
            read_transdate,
        )
        from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
        from airflow_provider_rma.billing.outcomes import failing_outcomes
        from airflow_provider_rma.billing.run import BillingRun

        policy = self._policy(client)
        how = Cancellation(self.suffix, read_transdate(self.transdate), self.reason or "")
        credit_notes = mirror_invoices(client, read_numbers(self.numbers), how, policy.rules)
        run = BillingRun(
            InvoiceKind(client, policy),
            journal,
            folder,
            failing_outcomes(self.fail_on),
            self._stop,
            self._provenance(client),
        )
        return run.send(credit_notes).as_dict()
