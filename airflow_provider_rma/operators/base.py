"""What the operators that write to Run my Accounts have in common."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, ObjectStoragePath

from airflow_provider_rma.exceptions import ConfigurationError, RunMyAccountsError
from airflow_provider_rma.hooks.rma import RunMyAccountsHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_rma.billing.files import RunFolder
    from airflow_provider_rma.billing.journal.store import Journal
    from airflow_provider_rma.billing.run_record import Provenance
    from airflow_provider_rma.client.client import RunMyAccountsClient

#: Records that a task may receive directly; more travel in a file.
MAX_RECORDS = 1_000


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
        return len(self.records)

    def __str__(self) -> str:
        return f"<{len(self)} records>"

    def serialize(self) -> str:
        """What a serialised DAG holds of the records."""
        return str(self)


class RecordsOperator(BaseOperator):
    """An operator that takes records and writes them to the books of a tenant.

    :param rma_conn_id: connection of the tenant.
    :param content_type: ``json`` or ``xml``; what the connection says if None.
    """

    #: Field that holds records, and the field of a record that names it.
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
        input_timezone: str | None = None,
        settle_time: float = 300.0,
        content_type: str | None = None,
        **kwargs: Any,
    ) -> None:
        # Each returned value is an XCom of its own as well, so that `task.output["outcome_path"]` works downstream.
        super().__init__(**{"multiple_outputs": True, **kwargs})
        self.rma_conn_id = rma_conn_id
        self.source = source
        self.source_conn_id = source_conn_id
        self.output_path = output_path
        self.input_timezone = input_timezone
        self.settle_time = settle_time
        self.content_type = content_type
        self._stop = threading.Event()

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Render, and keep the records that came from an upstream task out of what Airflow stores."""
        super().render_template_fields(context, jinja_env)
        given = getattr(self, self._records_field, None)
        if given is not None and not isinstance(given, RecordList):
            setattr(self, self._records_field, RecordList(given))

    def execute(self, context: Context) -> dict[str, Any]:
        """Do it, and return counts, totals and the paths of the files."""
        from airflow_provider_rma.billing.journal.store import Journal
        from airflow_provider_rma.hooks.settings import journal_engine

        self._stop.clear()
        try:
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
                return self._carry_out(client, journal, self._output(config.tenant, ti))
        except RunMyAccountsError as error:
            if error.retryable:
                raise
            raise AirflowFailException(str(error)) from error

    def on_kill(self) -> None:
        """Send nothing further; what is under way finishes, and the outcome file is written."""
        self._stop.set()

    @abstractmethod
    def _carry_out(self, client: RunMyAccountsClient, journal: Journal, output: RunFolder) -> dict[str, Any]:
        """Do what the operator is for, and give what the task returns."""

    def _records(self) -> Iterable[Mapping[str, Any]]:
        """The records to be billed, one at a time where their source allows it."""
        from airflow_provider_rma.billing.records import nest_rows, read_file

        records: RecordList | None = getattr(self, self._records_field)
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
        return read_file(lambda _: open_bytes(source), str(source), key=self._key)

    def _witness(self, client: RunMyAccountsClient, approver: str = "") -> Provenance:
        """What puts a run on record: the tenant's chain of evidence lies beside the files of all runs."""
        from importlib.metadata import version

        from airflow_provider_rma.billing.evidence.writer import EvidenceWriter
        from airflow_provider_rma.billing.files import EVIDENCE_FOLDER
        from airflow_provider_rma.billing.run_record import Provenance
        from airflow_provider_rma.hooks.settings import journal_engine, tenant_folder

        config = client.config
        folder = tenant_folder(config.tenant, self.output_path) / EVIDENCE_FOLDER
        writer = EvidenceWriter(journal_engine(), folder.fs, folder.path, config.origin, config.tenant)
        return Provenance(writer, approver, {"apache-airflow": version("apache-airflow")})

    def _output(self, tenant: str, ti: Any) -> RunFolder:
        from airflow_provider_rma.billing.files import RunFolder
        from airflow_provider_rma.hooks.settings import run_folder

        folder = run_folder(tenant, f"{self._kind}s", ti, self.output_path)
        return RunFolder(folder.fs, folder.path, str(folder))


def wrap_records(given: Any) -> Any:
    """Records behind a wrapper; the result of an upstream task stays as it is until it is there."""
    if given is None or hasattr(given, "resolve"):
        return given
    return RecordList(given)


def _run_identity(ti: Any) -> str:
    """Identity of a task's run over all its tries, as it stands in the journal."""
    mapped = "" if ti.map_index < 0 else f"[{ti.map_index}]"
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped}"


def open_bytes(path: Any) -> IO[bytes]:
    """Open an ``ObjectStoragePath`` for reading."""
    stream: IO[bytes] = path.open("rb")
    return stream
