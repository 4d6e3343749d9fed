"""Create customers and invoices in Run my Accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_rma.billing.files import read_plan_digest
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.storage import open_outcomes, open_plan
from airflow_provider_rma.operators.base import InvoiceWriteOperator, RecordsMixin, TenantWriteOperator, wrap_records
from airflow_provider_rma.operators.parameters import check_parameters
from airflow_provider_rma.schemas.date_range import DateRange

if TYPE_CHECKING:
    from airflow_provider_rma.billing.files import RunFolder
    from airflow_provider_rma.billing.journal.store import Journal
    from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
    from airflow_provider_rma.billing.outcomes import Outcome
    from airflow_provider_rma.billing.run import BillingRun
    from airflow_provider_rma.client.client import RunMyAccountsClient


class RunMyAccountsCreateCustomersOperator(RecordsMixin, TenantWriteOperator):
    """Create customers who do not exist yet.

    An existing customer is never written, unless fields are named in ``managed_fields``: RMA's interface replaces the
    whole record, so the customer is then read, only those fields are changed, and the result is written and read again.

    .. seealso:: :doc:`/customers`

    :param customers: records with RMA's customer fields, at most 1,000: a list, one dictionary, or the result of an
        upstream task. (templated: not rendered, but may be an ``XComArg``)
    :param source: instead, path or URL of a file (JSON, NDJSON, CSV, Parquet) or of a folder of its parts, on any
        storage. (templated)
    :param source_conn_id: Airflow connection of that storage. (templated)
    :param encoding: encoding of a text file without a byte order mark; UTF-8 by default.
    :param number_format: how amounts are written as text, by an example such as ``1'234.50``; RMA's own ``1234.50`` by
        default.
    :param date_format: how dates are written as text, e.g. ``DD.MM.YYYY``; ``YYYY-MM-DD`` by default.
    :param min_count: fewest records; the task fails before anything is sent if there are fewer.
    :param rma_conn_id: connection of the tenant. (templated)
    :param managed_fields: fields that are written to existing customers as well.
    :param output_path: folder for outcome and reject files; ``[rma] storage_path`` by default. (templated)
    :param fail_on: outcomes that fail the task; all but ``created``, ``updated`` and ``unchanged`` by default.
    :param input_timezone: time zone in which date-times that are not midnight name a day; they are refused without.
    :param date_range: first and last day that a date may have, each a date or ``YYYY-MM-DD``; 1900 to 2100 by default.
    :param settle_time: seconds after a lost reply within which RMA may still carry the request out.
    :param content_type: ``json`` or ``xml``; what the connection says by default.
    :returns: counts by outcome, and the paths of the outcome and reject files; never records.
    """

    _records_field = "customers"
    _number_field = "customernumber"
    _kind = "customer"
    _sources: ClassVar[Sequence[str]] = ("customers", "source")

    template_fields: Sequence[str] = ("rma_conn_id", "source", "source_conn_id", "output_path", "customers")

    def __init__(
        self,
        *,
        customers: Any = None,
        managed_fields: Collection[str] | str = (),
        fail_on: Collection[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.customers = wrap_records("customers", customers)
        self.fail_on = fail_on
        self.managed_fields = managed_fields
        check_parameters(self, managed_fields=managed_fields, fail_on=fail_on)
        self._check_source()

    def _carry_out(self, client: RunMyAccountsClient, journal: Journal, folder: RunFolder) -> dict[str, Any]:
        from airflow_provider_rma.billing.kinds.customer import CustomerKind
        from airflow_provider_rma.billing.outcomes import failing_outcomes
        from airflow_provider_rma.billing.policy import InputRules, Policy
        from airflow_provider_rma.billing.run import BillingRun

        policy = Policy(
            rules=InputRules(
                input_timezone=self.input_timezone,
                date_range=DateRange.parse(self.date_range),
                notation=self.notation,
            ),
            total_deadline=client.config.total_deadline,
            settle_time=self.settle_time,
        )
        managed = [self.managed_fields] if isinstance(self.managed_fields, str) else tuple(self.managed_fields)
        run = BillingRun(
            CustomerKind(client, policy, managed),
            journal,
            folder,
            failing_outcomes(self.fail_on),
            self._stop,
            self._provenance(client),
        )
        return run.send(self._records()).as_dict()


class _InvoiceRecordsOperator(RecordsMixin, InvoiceWriteOperator):
    """The parameters that planning invoices and creating them have in common."""

    _records_field = "invoices"
    _number_field = "invnumber"
    _sources: ClassVar[Sequence[str]] = ("invoices", "source")

    template_fields: Sequence[str] = (
        "rma_conn_id",
        "source",
        "source_conn_id",
        "output_path",
        "invoices",
        "customer_outcomes",
    )

    def __init__(
        self,
        *,
        invoices: Any = None,
        customer_outcomes: str | None = None,
        send_customers: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.invoices = wrap_records("invoices", invoices)
        self.customer_outcomes = customer_outcomes
        self.send_customers = send_customers
        check_parameters(self, customer_outcomes=customer_outcomes, send_customers=send_customers)

    def _run(
        self,
        client: RunMyAccountsClient,
        journal: Journal,
        folder: RunFolder,
        failing: frozenset[Outcome] = frozenset(),
        approver: str = "",
    ) -> BillingRun[InvoiceDocument]:
        from airflow_provider_rma.billing.files import read_refused_numbers
        from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
        from airflow_provider_rma.billing.run import BillingRun

        refused: Mapping[str, str] = {}
        if self.customer_outcomes:
            with open_outcomes(self.customer_outcomes) as stream:
                refused = read_refused_numbers(stream)
        policy = self._policy(
            client,
            send_customers=self.send_customers,
            input_timezone=self.input_timezone,
            notation=self.notation,
        )
        kind = InvoiceKind(client, policy, refused)
        return BillingRun(kind, journal, folder, failing, self._stop, self._provenance(client, approver))


class RunMyAccountsPlanInvoicesOperator(_InvoiceRecordsOperator):
    """Say what creating invoices would do, without sending anything.

    The plan goes to :class:`RunMyAccountsCreateInvoicesOperator`, which carries out exactly this plan; in between a
    person may approve it with :class:`~airflow_provider_rma.operators.approval.RunMyAccountsApprovePlanOperator`.

    .. seealso:: :doc:`/approval`

    :param invoices: as of :class:`RunMyAccountsCreateInvoicesOperator`, and so are ``source``, ``source_conn_id``,
        ``encoding``, ``number_format``, ``date_format``, ``min_count``, ``rma_conn_id``, ``customer_outcomes``,
        ``send_customers``, ``allow_currency``, ``check_master_data``, ``output_path``, ``input_timezone``,
        ``date_range``, ``settle_time`` and ``content_type``.
    :returns: ``plan`` (path of the plan file), ``plan_hash`` (its SHA-256), ``counts`` (records by decision),
        ``amount`` (CHF, sum without sign of what would be sent), ``summary`` (Markdown to approve: counts, totals and
        numbers) and ``page`` (path of an HTML page); never records.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check_source()

    def _carry_out(self, client: RunMyAccountsClient, journal: Journal, folder: RunFolder) -> dict[str, Any]:
        plan = self._run(client, journal, folder).plan(self._records())
        return {
            "plan": plan.path,
            "plan_hash": plan.digest,
            "counts": plan.header.counts,
            "amount": plan.header.amount,
            "summary": plan.markdown,
            "page": plan.page,
        }


class RunMyAccountsCreateInvoicesOperator(_InvoiceRecordsOperator):
    """Create invoices and credit notes: never one twice, none lost.

    Everything is validated, then the books are read, and only documents that are proven absent are sent, each once,
    each read back and compared. Run it again as often as you like: what is in the books stays ``unchanged``.

    .. seealso:: :doc:`/invoices`

    :param invoices: records with RMA's invoice fields (and optionally ``expected_amount``, the gross total), at most
        1,000: a list, one dictionary, or the result of an upstream task. (templated: not rendered, but may be an
        ``XComArg``)
    :param source: instead, path or URL of a file (JSON, NDJSON, CSV, Parquet) or of a folder of its parts, on any
        storage. (templated)
    :param source_conn_id: Airflow connection of that storage. (templated)
    :param encoding: encoding of a text file without a byte order mark; UTF-8 by default.
    :param number_format: how amounts are written as text, by an example such as ``1'234.50``; RMA's own ``1234.50`` by
        default.
    :param date_format: how dates are written as text, e.g. ``DD.MM.YYYY``; ``YYYY-MM-DD`` by default.
    :param min_count: fewest records; the task fails before anything is sent if there are fewer.
    :param plan: instead of records, path of a plan: exactly this plan is carried out, and of it only what is still
        absent from the books. (templated)
    :param plan_hash: SHA-256 of the plan that was approved; another file is refused. (templated)
    :param approver: who approved the plan of ``plan_hash``; stands in the run's evidence. Records that this plan shows
        as not to be sent then fail the task only if ``fail_on`` names their outcome. (templated)
    :param rma_conn_id: connection of the tenant. (templated)
    :param customer_outcomes: path of the outcome file of the task that created the customers: invoices of a customer
        who was refused there name the cause. (templated)
    :param send_customers: accept records with a full ``customer``, which creates or overwrites master data.
    :param allow_currency: further currencies that may be billed beside CHF (ISO 4217).
    :param max_count: documents that one run may send.
    :param max_amount: sum of the amounts (without sign) that one run may send, in CHF.
    :param check_master_data: look customers, articles and accounts up before anything is sent.
    :param absence_check: how a number is proven absent: ``full_list`` reads all invoices once, ``by_number`` asks for
        each number.
    :param write_recovery_tag: end the internal notes of what is sent with a recovery tag, from which a lost journal can
        be rebuilt.
    :param output_path: folder for outcome and reject files; ``[rma] storage_path`` by default. (templated)
    :param fail_on: outcomes that fail the task; all but ``created`` and ``unchanged`` by default.
    :param input_timezone: time zone in which date-times that are not midnight name a day; they are refused without.
    :param date_range: first and last day that a date may have, each a date or ``YYYY-MM-DD``; 1900 to 2100 by default.
    :param settle_time: seconds after a lost reply within which RMA may still book the document.
    :param content_type: ``json`` or ``xml``; what the connection says by default.
    :returns: counts by outcome, totals in CHF as text, and the paths of the outcome and reject files; never records.
    """

    _sources: ClassVar[Sequence[str]] = ("invoices", "source", "plan")

    template_fields: Sequence[str] = (*_InvoiceRecordsOperator.template_fields, "plan", "plan_hash", "approver")

    def __init__(
        self,
        *,
        plan: str | None = None,
        plan_hash: str | None = None,
        approver: str = "",
        fail_on: Collection[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.plan_hash = plan_hash
        self.approver = approver
        self.fail_on = fail_on
        check_parameters(self, plan=plan, plan_hash=plan_hash, approver=approver, fail_on=fail_on)
        #: Parameters that were given: if they render to nothing, nothing is sent.
        self._declared = [name for name in ("plan", "plan_hash") if getattr(self, name) is not None]
        self._check_source()
        self._check_approval()

    def _check_approval(self) -> None:
        """Refuse parts of an approval: what is approved is the plan of one hash, and nothing else.

        :raises ConfigurationError: naming the part that is missing.
        """
        for name, needed in (("plan_hash", "plan"), ("approver", "plan_hash")):
            if getattr(self, name) not in (None, "") and needed not in self._declared:
                raise ConfigurationError(
                    f"{name}: given without {needed}",
                    advice=f"Give {needed} too, from the task that made or approved the plan, or leave {name} out.",
                )
        for name in self._declared:
            if getattr(self, name) is None:
                raise ConfigurationError(
                    f"{name}: the task that it comes from has left none; nothing was sent",
                    advice="Plan again, and have the plan approved again.",
                )

    def _carry_out(self, client: RunMyAccountsClient, journal: Journal, folder: RunFolder) -> dict[str, Any]:
        from airflow_provider_rma.billing.outcomes import failing_outcomes
        from airflow_provider_rma.billing.plan_file import PlanReader
        from airflow_provider_rma.billing.records.counting import check_count

        self._check_approval()
        approver = "" if self.approver in (None, "None") else self.approver
        run = self._run(client, journal, folder, failing_outcomes(self.fail_on), approver)
        if self.plan is None:
            return run.send(self._records()).as_dict()
        self._check_source()
        # Whoever gives no hash may still rely on the one by which the file is named.
        plan_hash = self.plan_hash or read_plan_digest(str(self.plan))
        with open_plan(self.plan) as stream:
            reader = PlanReader(stream)
            check_count(sum(reader.header.counts.values()), self.min_count)
            spares_planned = bool(approver) and self.fail_on is None
            return run.apply(reader, plan_hash, spares_planned=spares_planned).as_dict()
