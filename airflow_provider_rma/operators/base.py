"""The parts that operators have in common: how they name a run, fail, take records and write to a tenant."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_rma.exceptions import ConfigurationError, RunMyAccountsError
from airflow_provider_rma.hooks.rma import RunMyAccountsHook
from airflow_provider_rma.hooks.storage import find_source
from airflow_provider_rma.operators.parameters import CheckedMixin, check_parameters, check_rendered
from airflow_provider_rma.schemas.date_range import DateRange
from airflow_provider_rma.schemas.notation import PLAIN, Notation

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_rma.billing.files import RunFolder
    from airflow_provider_rma.billing.journal.store import Journal
    from airflow_provider_rma.billing.policy import Policy
    from airflow_provider_rma.billing.records.model import Record, RefusedRecord
    from airflow_provider_rma.billing.run_record import Provenance
    from airflow_provider_rma.client.client import RunMyAccountsClient

log = logging.getLogger(__name__)

#: Records that a task may receive directly; more travel in a file.
MAX_RECORDS = 1_000


def task_run(ti: Any) -> str:
    """Name a task's run over all its tries: DAG, run, task and map index."""
    mapped = "" if ti.map_index < 0 else f"[{ti.map_index}]"
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped}"


@contextmanager
def airflow_errors(ti: Any) -> Iterator[None]:
    """Fail the task for good on an error of ours that a retry cannot help against.

    The result of a run that fails is pushed to XCom all the same: what comes next may want the paths of its files.

    :param ti: the task instance.
    """
    try:
        yield
    except RunMyAccountsError as error:
        if error.result is not None:
            push_result(ti, error.result)
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error


@contextmanager
def attach_result(results: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Attach the last of the results that there are when the run fails to its error, which then names the page."""
    try:
        yield
    except RunMyAccountsError as error:
        if results:
            error.result = results[-1]
            if page := results[-1].get("page_path"):
                error.advice = f"{error.advice} Page: {page}".lstrip()
        raise


def push_result(ti: Any, result: Mapping[str, Any]) -> None:
    """Push the result of a task that fails, as Airflow does for one that succeeds."""
    try:
        for key, value in {"return_value": dict(result), **result}.items():
            ti.xcom_push(key=key, value=value)
    except Exception:
        # The error of the run matters more.
        log.exception("The result could not be pushed to XCom.")


class TenantWriteOperator(CheckedMixin, BaseOperator):
    """An operator that writes to the books of a tenant.

    :param rma_conn_id: connection of the tenant.
    :param output_path: folder for the files of the run; ``[rma] storage_path`` if None.
    :param settle_time: seconds after a lost reply within which RMA may still carry the request out.
    :param content_type: ``json`` or ``xml``; what the connection says if None.
    :param date_range: first and last day that a date may have, each a date or ``YYYY-MM-DD``; 1900 to 2100 if None.
    """

    #: Name of the kind of document, as in the journal.
    _kind: ClassVar[str]

    template_fields: Sequence[str] = ("rma_conn_id", "output_path")
    ui_color = "#e8f1ea"

    def __init__(
        self,
        *,
        rma_conn_id: str = RunMyAccountsHook.default_conn_name,
        output_path: str | None = None,
        settle_time: float = 300.0,
        content_type: str | None = None,
        date_range: Sequence[date | str] | None = None,
        **kwargs: Any,
    ) -> None:
        # Each returned value is an XCom of its own as well, so that `task.output["outcome_path"]` works downstream.
        super().__init__(**{"multiple_outputs": True, **kwargs})
        self.rma_conn_id = rma_conn_id
        self.output_path = output_path
        self.settle_time = settle_time
        self.content_type = content_type
        self.date_range = date_range
        check_parameters(
            self,
            rma_conn_id=rma_conn_id,
            output_path=output_path,
            settle_time=settle_time,
            content_type=content_type,
            date_range=date_range,
        )
        self._stop = threading.Event()

    def execute(self, context: Context) -> dict[str, Any]:
        """Carry the run out, and return counts, totals and the paths of the files."""
        from airflow_provider_rma.billing.journal.store import Journal
        from airflow_provider_rma.hooks.settings import journal_engine

        self._stop.clear()
        with airflow_errors(context["ti"]):
            check_rendered(self)
            hook = RunMyAccountsHook(self.rma_conn_id, content_type=self.content_type)
            config, ti = hook.config, context["ti"]
            journal = Journal(
                journal_engine(), base_url=config.origin, tenant=config.tenant, kind=self._kind, run=task_run(ti)
            )
            with hook.get_conn() as client:
                return self._carry_out(client, journal, self._folder(config.tenant, ti))

    def on_kill(self) -> None:
        """Send nothing further; what is under way finishes, and the outcome file is written."""
        self._stop.set()

    @abstractmethod
    def _carry_out(self, client: RunMyAccountsClient, journal: Journal, folder: RunFolder) -> dict[str, Any]:
        """Carry the run out, and return what the task returns."""

    def _provenance(self, client: RunMyAccountsClient, approver: str = "") -> Provenance:
        """Return who and what stands behind the run; the tenant's evidence lies beside the files of all runs."""
        from importlib.metadata import version

        from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
        from airflow_provider_rma.billing.files import EVIDENCE_FOLDER
        from airflow_provider_rma.billing.run_record import Provenance
        from airflow_provider_rma.hooks.settings import file_mode, journal_engine, tenant_folder

        config = client.config
        folder = tenant_folder(config.tenant, self.output_path) / EVIDENCE_FOLDER
        writer = EvidenceWriter(
            journal_engine(), folder.fs, folder.path, config.origin, config.tenant, mode=file_mode()
        )
        return Provenance(writer, approver, {"apache-airflow": version("apache-airflow")})

    def _folder(self, tenant: str, ti: Any) -> RunFolder:
        from airflow_provider_rma.billing.files import RunFolder
        from airflow_provider_rma.hooks.settings import file_mode, run_folder

        folder = run_folder(tenant, f"{self._kind}s", ti, self.output_path)
        return RunFolder(folder.fs, folder.path, str(folder), file_mode())


class InvoiceWriteOperator(TenantWriteOperator):
    """An operator that writes invoices or credit notes, under the rules that hold for all of them.

    :param allow_currency: further currencies that may be billed beside CHF (ISO 4217).
    :param max_count: documents that one run may send.
    :param max_amount: sum of the amounts (without sign) that one run may send, in CHF.
    :param check_master_data: look customers, articles and accounts up before anything is sent.
    :param absence_check: how a number is proven absent: ``full_list`` or ``by_number``.
    :param write_recovery_tag: end the internal notes of what is sent with a recovery tag.
    """

    _kind = "invoice"

    def __init__(
        self,
        *,
        allow_currency: Collection[str] | str = (),
        max_count: int = 2_000,
        max_amount: Decimal | int | str = 1_000_000,
        check_master_data: bool = True,
        absence_check: Literal["full_list", "by_number"] = "full_list",
        write_recovery_tag: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.allow_currency = allow_currency
        self.max_count = max_count
        self.max_amount = max_amount
        self.check_master_data = check_master_data
        self.absence_check = absence_check
        self.write_recovery_tag = write_recovery_tag
        check_parameters(
            self,
            allow_currency=allow_currency,
            max_count=max_count,
            max_amount=max_amount,
            check_master_data=check_master_data,
            absence_check=absence_check,
            write_recovery_tag=write_recovery_tag,
        )

    def _policy(
        self,
        client: RunMyAccountsClient,
        *,
        send_customers: bool = False,
        input_timezone: str | None = None,
        notation: Notation = PLAIN,
    ) -> Policy:
        from airflow_provider_rma.billing.policy import InputRules, Policy

        allowed = [self.allow_currency] if isinstance(self.allow_currency, str) else self.allow_currency
        return Policy(
            rules=InputRules(
                send_customers=send_customers,
                currencies=frozenset({"CHF", *allowed}),
                input_timezone=input_timezone,
                date_range=DateRange.parse(self.date_range),
                notation=notation,
            ),
            closed_until=client.config.closed_until,
            total_deadline=client.config.total_deadline,
            settle_time=self.settle_time,
            max_count=self.max_count,
            max_amount=Decimal(str(self.max_amount)),
            check_master_data=self.check_master_data,
            absence_check=self.absence_check,
            write_recovery_tag=self.write_recovery_tag,
        )


class RecordList:
    """Records given to an operator.

    Airflow stores rendered template fields in its database and shows them. A customer's address has no business there,
    so all that it sees of records is how many there are. Nor does Jinja render them: an invoice text may hold braces.
    """

    def __init__(self, records: Any) -> None:
        # One dictionary is a list of one: mapping over a flat list delivers it so.
        self.records: Any = [records] if isinstance(records, Mapping) else records

    def resolve(self, context: Context, **_: Any) -> RecordList:
        """Called by Airflow where it would render a value."""
        return self

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records) if isinstance(self.records, Sized) else 0

    def __str__(self) -> str:
        return f"<{len(self)} records>"

    def serialize(self) -> str:
        """Return what a serialised DAG holds of the records."""
        return str(self)


class RecordsMixin(BaseOperator):
    """The parameters by which an operator takes records: directly, or from a file.

    An operator itself, because Airflow prepares the ``__init__`` of operators only.

    :param source: path or URL of a file with records.
    :param source_conn_id: Airflow connection of its storage.
    :param encoding: encoding of a text file without a byte order mark; UTF-8 if None.
    :param number_format: how amounts are written as text, by an example; RMA's own ``1234.50`` if None.
    :param date_format: how dates are written as text, e.g. ``DD.MM.YYYY``; ``YYYY-MM-DD`` if None.
    :param min_count: fewest records; the task fails before anything is sent if there are fewer.
    :param input_timezone: time zone in which date-times that are not midnight name a day; they are refused if None.
    """

    #: Parameter that holds records, and the field of a record that names it.
    _kind: ClassVar[str]
    _records_field: ClassVar[str]
    _number_field: ClassVar[str]
    #: Parameters of which exactly one says where records come from.
    _sources: ClassVar[Sequence[str]]

    def __init__(
        self,
        *,
        source: str | None = None,
        source_conn_id: str | None = None,
        encoding: str | None = None,
        number_format: str | None = None,
        date_format: str | None = None,
        min_count: int = 0,
        input_timezone: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_parameters(
            self,
            source=source,
            source_conn_id=source_conn_id,
            encoding=encoding,
            number_format=number_format,
            date_format=date_format,
            min_count=min_count,
            input_timezone=input_timezone,
        )
        self.source = source
        self.source_conn_id = source_conn_id
        self.encoding = encoding
        self.number_format = number_format
        self.date_format = date_format
        self.notation = Notation(number_format, date_format)
        self.min_count = min_count
        self.input_timezone = input_timezone

    def _check_source(self) -> None:
        """Refuse none, or several, of the ways in which records can be given.

        :raises ConfigurationError: naming those that are given.
        """
        given = [name for name in self._sources if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigurationError(
                f"{', '.join(self._sources[:-1])} and {self._sources[-1]}: "
                + (f"{' and '.join(given)} given together" if given else "none given"),
                advice=f"Give exactly one of {', '.join(self._sources)}.",
            )

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render, and keep the records that came from an upstream task out of what Airflow stores."""
        super().render_template_fields(context, jinja_env)
        given = getattr(self, self._records_field, None)
        if given is not None and not isinstance(given, RecordList):
            setattr(self, self._records_field, RecordList(given))

    def _records(self) -> Iterator[Record | RefusedRecord]:
        """Read the records, one at a time where their source allows it, and refuse too few of them."""
        from airflow_provider_rma.billing.records.counting import require_count

        return require_count(self._read_records(), self.min_count)

    def _read_records(self) -> Iterator[Record | RefusedRecord]:
        from airflow_provider_rma.billing.records.columns import COLUMNS
        from airflow_provider_rma.billing.records.files import read_file
        from airflow_provider_rma.billing.records.nesting import nest_rows

        self._check_source()
        records: RecordList | None = getattr(self, self._records_field)
        if records is not None:
            check_records(self._records_field, records.records)
            if len(records) > MAX_RECORDS:
                raise ConfigurationError(
                    f"{self._records_field}: {len(records)} records, at most {MAX_RECORDS} may be given directly",
                    advice="Write them to a file (NDJSON or Parquet) on any storage and give its path in source.",
                )
            return nest_rows(records, key=self._number_field)
        source = find_source(str(self.source), self.source_conn_id)
        return read_file(source.fs, source.path, COLUMNS[self._kind], encoding=self.encoding, url=str(source))


def wrap_records(parameter: str, given: Any) -> Any:
    """Put records behind a wrapper; the result of an upstream task stays as it is until it is there.

    :raises ConfigurationError: see :func:`check_records`.
    """
    if given is None or hasattr(given, "resolve"):
        return given
    check_records(parameter, given)
    return RecordList(given)


def check_records(parameter: str, given: Any) -> None:
    """Refuse what holds no records at all; each record is judged by itself when it is read.

    :raises ConfigurationError: if it is neither a list nor anything like it.
    """
    is_text = isinstance(given, str | bytes | bytearray | memoryview)
    if is_text or not isinstance(given, Sized) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"{parameter} must be records, got a {type(given).__name__}",
            advice="Give a list of dictionaries, or one dictionary; records of a file are given as source.",
        )
