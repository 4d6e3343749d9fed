"""Create customers and invoices in Run my Accounts."""

from __future__ import annotations

import re
import threading
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, ObjectStoragePath

from airflow_provider_rma.exceptions import ConfigurationError, RunMyAccountsError
from airflow_provider_rma.hooks.rma import RunMyAccountsHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_rma.billing.journal import Journal
    from airflow_provider_rma.billing.outcomes import Outcome, Summary
    from airflow_provider_rma.billing.plan import Policy
    from airflow_provider_rma.billing.report import Output
    from airflow_provider_rma.client.client import RunMyAccountsClient

#: Records that a task may receive directly; more travel in a file.
MAX_RECORDS = 1_000


class Records:
    """Records given to an operator.

    Airflow stores rendered template fields in its database and shows them. A customer's address has no business there,
    so all that it sees of records is how many there are. Nor does Jinja render them: an invoice text may hold braces.
    """

    def __init__(self, records: Any) -> None:
        # One dictionary is a list of one: mapping over a flat list delivers it so.
        self.records: Any = [records] if isinstance(records, Mapping) else records

    def resolve(self, context: Context, **_: Any) -> Records:
        """Called by Airflow where it would render a value."""
        return self

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __str__(self) -> str:
        return f"<{len(self)} records>"

    def serialize(self) -> str:
        """What a serialised DAG holds of the records."""
        return str(self)


class _BillingOperator(BaseOperator):
    """What creating customers and creating invoices have in common.

    :param records: field that holds the records, for messages.
    """

    _records_field: ClassVar[str]
    _key: ClassVar[str]
    _kind: ClassVar[str]

    template_fields: Sequence[str] = ("rma_conn_id", "source", "source_conn_id", "output_path")
    ui_color = "#e8f1ea"

    def __init__(
        self,
        *,
        rma_conn_id: str = RunMyAccountsHook.default_conn_name,
        source: str | None = None,
        source_conn_id: str | None = None,
        output_path: str | None = None,
        fail_on: Collection[str] | str | None = None,
        input_timezone: str | None = None,
        settle_time: float = 300.0,
        content_type: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Each value of the result is an XCom of its own, so that `task.output["outcome_path"]` names one.
        super().__init__(**{"multiple_outputs": True, **kwargs})
        self.rma_conn_id = rma_conn_id
        self.source = source
        self.source_conn_id = source_conn_id
        self.output_path = output_path
        self.fail_on = fail_on
        self.input_timezone = input_timezone
        self.settle_time = settle_time
        self.content_type = content_type
        self._stop = threading.Event()

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render, and keep the records that came from an upstream task out of what Airflow stores."""
        super().render_template_fields(context, jinja_env)
        given = getattr(self, self._records_field, None)
        if given is not None and not isinstance(given, Records):
            setattr(self, self._records_field, Records(given))

    def execute(self, context: Context) -> dict[str, Any]:
        """Bill, and return counts, totals and the paths of the files."""
        from airflow_provider_rma.billing.journal import Journal
        from airflow_provider_rma.billing.outcomes import failing_outcomes
        from airflow_provider_rma.hooks.settings import journal_engine

        self._stop.clear()
        try:
            failing = failing_outcomes(self.fail_on)
            hook = RunMyAccountsHook(self.rma_conn_id, content_type=self.content_type)
            config = hook.config
            ti = context["ti"]
            journal = Journal(
                journal_engine(),
                base_url=config.origin,
                tenant=config.tenant,
                kind=self._kind,
                run=_run_identity(ti),
            )
            with hook.get_conn() as client:
                summary = self._bill(client, journal, self._output(config.tenant, ti), failing)
        except RunMyAccountsError as error:
            if error.retryable:
                raise
            raise AirflowFailException(str(error)) from error
        return summary.as_dict()

    def on_kill(self) -> None:
        """Send nothing further; what is under way finishes, and the outcome file is written."""
        self._stop.set()

    @abstractmethod
    def _bill(
        self, client: RunMyAccountsClient, journal: Journal, output: Output, failing: frozenset[Outcome]
    ) -> Summary:
        """Carry the run out."""

    def _records(self) -> Iterable[Mapping[str, Any]]:
        """The records to be billed, one at a time where their source allows it."""
        from airflow_provider_rma.billing.sources import nest_rows, read_file

        records: Records | None = getattr(self, self._records_field)
        if (records is None) == (self.source is None):
            raise ConfigurationError(
                f"{self._records_field} and source: {'neither' if records is None else 'both'} given",
                advice=f"Give exactly one: records in {self._records_field}, or the path of a file in source.",
            )
        if records is not None:
            if len(records) > MAX_RECORDS:
                raise ConfigurationError(
                    f"{self._records_field}: {len(records)} records, at most {MAX_RECORDS} may be given directly",
                    advice="Write them to a file (NDJSON or Parquet) on any storage and give its path in source.",
                )
            return nest_rows(records, key=self._key)
        source = ObjectStoragePath(str(self.source), conn_id=self.source_conn_id)
        return read_file(lambda _: source.open("rb"), str(source), key=self._key)

    def _output(self, tenant: str, ti: Any) -> Output:
        from airflow_provider_rma.billing.report import Output
        from airflow_provider_rma.hooks.settings import storage_path

        base = ObjectStoragePath(self.output_path) if self.output_path else storage_path()
        task = ti.task_id if ti.map_index < 0 else f"{ti.task_id}-{ti.map_index}"
        parts = (tenant, f"{self._kind}s", ti.dag_id, ti.run_id, f"{task}-try{ti.try_number}")
        folder = base.joinpath(*(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in parts))
        return Output(folder.fs, folder.path, str(folder))


class RunMyAccountsCreateCustomersOperator(_BillingOperator):
    """Create customers who do not exist yet.

    An existing customer is never written, unless fields are named in ``managed_fields``: RMA's interface replaces the
    whole record, so the customer is then read, only those fields are changed, and the result is written and read again.

    .. seealso:: :doc:`/customers`

    :param customers: records with RMA's customer fields, at most 1,000: a list, one dictionary, or the result of an
        upstream task. (templated: not rendered, but may be an ``XComArg``)
    :param source: instead, path or URL of a JSON, NDJSON, CSV or Parquet file on any object storage. (templated)
    :param source_conn_id: Airflow connection of that storage. (templated)
    :param rma_conn_id: connection of the tenant. (templated)
    :param managed_fields: fields that are written to existing customers as well.
    :param output_path: folder for outcome and reject files; ``[rma] storage_path`` by default. (templated)
    :param fail_on: outcomes that fail the task; all but ``created``, ``updated`` and ``unchanged`` by default.
    :param input_timezone: time zone in which date-times that are not midnight name a day; they are refused without.
    :param settle_time: seconds after a lost reply within which RMA may still carry the request out.
    :param content_type: ``json`` or ``xml``; what the connection says by default.
    :returns: counts by outcome, and the paths of the outcome and reject files; never records.
    """

    _records_field = "customers"
    _key = "customernumber"
    _kind = "customer"

    template_fields: Sequence[str] = (*_BillingOperator.template_fields, "customers")

    def __init__(self, *, customers: Any = None, managed_fields: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.customers = _records(customers)
        self.managed_fields = tuple(managed_fields)

    def _bill(
        self, client: RunMyAccountsClient, journal: Journal, output: Output, failing: frozenset[Outcome]
    ) -> Summary:
        from airflow_provider_rma.billing.customers import CustomerRun
        from airflow_provider_rma.billing.documents import Rules
        from airflow_provider_rma.billing.plan import Policy

        policy = Policy(
            rules=Rules(input_timezone=self.input_timezone),
            total_deadline=client.config.total_deadline,
            settle_time=self.settle_time,
        )
        run = CustomerRun(
            client, journal, policy, output, journal.run, failing, managed_fields=self.managed_fields, stop=self._stop
        )
        return run.create(self._records())


class RunMyAccountsCreateInvoicesOperator(_BillingOperator):
    """Create invoices and credit notes: never one twice, none lost.

    Everything is validated, then the books are read, and only documents that are proven absent are sent, each once,
    each read back and compared. Run it again as often as you like: what is in the books stays ``unchanged``.

    .. seealso:: :doc:`/invoices`

    :param invoices: records with RMA's invoice fields (and optionally ``expected_amount``, the gross total), at most
        1,000: a list, one dictionary, or the result of an upstream task. (templated: not rendered, but may be an
        ``XComArg``)
    :param source: instead, path or URL of a JSON, NDJSON, CSV or Parquet file on any object storage. (templated)
    :param source_conn_id: Airflow connection of that storage. (templated)
    :param rma_conn_id: connection of the tenant. (templated)
    :param customer_outcomes: path of the outcome file of the task that created the customers: invoices of a customer
        who was refused there name the cause. (templated)
    :param send_customers: accept records with a full ``customer``, which creates or overwrites master data.
    :param allow_currency: further currencies that may be billed beside CHF (ISO 4217).
    :param max_count: documents that one run may send.
    :param max_amount: sum of the amounts (without sign) that one run may send, in CHF.
    :param check_master_data: look customers, articles and accounts up before anything is sent.
    :param output_path: folder for outcome and reject files; ``[rma] storage_path`` by default. (templated)
    :param fail_on: outcomes that fail the task; all but ``created`` and ``unchanged`` by default.
    :param input_timezone: time zone in which date-times that are not midnight name a day; they are refused without.
    :param settle_time: seconds after a lost reply within which RMA may still book the document.
    :param content_type: ``json`` or ``xml``; what the connection says by default.
    :returns: counts by outcome, totals in CHF as text, and the paths of the outcome and reject files; never records.
    """

    _records_field = "invoices"
    _key = "invnumber"
    _kind = "invoice"

    template_fields: Sequence[str] = (*_BillingOperator.template_fields, "invoices", "customer_outcomes")

    def __init__(
        self,
        *,
        invoices: Any = None,
        customer_outcomes: str | None = None,
        send_customers: bool = False,
        allow_currency: Collection[str] | str = (),
        max_count: int = 2_000,
        max_amount: Decimal | int | str = 1_000_000,
        check_master_data: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.invoices = _records(invoices)
        self.customer_outcomes = customer_outcomes
        self.send_customers = send_customers
        self.allow_currency = [allow_currency] if isinstance(allow_currency, str) else list(allow_currency)
        self.max_count = max_count
        self.max_amount = max_amount
        self.check_master_data = check_master_data

    def _bill(
        self, client: RunMyAccountsClient, journal: Journal, output: Output, failing: frozenset[Outcome]
    ) -> Summary:
        from airflow_provider_rma.billing.report import refused_numbers
        from airflow_provider_rma.billing.run import InvoiceRun

        refused: Mapping[str, str] = {}
        if self.customer_outcomes:
            with ObjectStoragePath(self.customer_outcomes).open("rb") as stream:
                refused = refused_numbers(stream)
        run = InvoiceRun(
            client,
            journal,
            self._policy(client),
            output,
            journal.run,
            failing,
            refused_customers=refused,
            stop=self._stop,
        )
        return run.bill(self._records())

    def _policy(self, client: RunMyAccountsClient) -> Policy:
        from airflow_provider_rma.billing.documents import Rules
        from airflow_provider_rma.billing.plan import Policy

        try:
            max_amount = Decimal(str(self.max_amount))
        except InvalidOperation as error:
            raise ConfigurationError("max_amount is no number", advice="Give an amount in CHF.") from error
        return Policy(
            rules=Rules(
                send_customers=self.send_customers,
                currencies=frozenset({"CHF", *self.allow_currency}),
                input_timezone=self.input_timezone,
            ),
            closed_until=client.config.closed_until,
            total_deadline=client.config.total_deadline,
            settle_time=self.settle_time,
            max_count=self.max_count,
            max_amount=max_amount,
            check_master_data=self.check_master_data,
        )


def _records(given: Any) -> Any:
    """Records behind a wrapper; the result of an upstream task stays as it is until it is there."""
    if given is None or hasattr(given, "resolve"):
        return given
    return Records(given)


def _run_identity(ti: Any) -> str:
    """Identity of a task's run over all its tries, as it stands in the journal."""
    mapped = "" if ti.map_index < 0 else f"[{ti.map_index}]"
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped}"
