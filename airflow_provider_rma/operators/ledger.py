"""Carry the general ledger out of Run my Accounts into a warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.hooks.rma import RunMyAccountsHook
from airflow_provider_rma.operators.base import airflow_errors, attach_result, task_run
from airflow_provider_rma.operators.parameters import CheckedMixin, check_parameters, check_period, check_rendered

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_rma.ledger.destinations.base import Destination
    from airflow_provider_rma.ledger.result import LedgerResult


class RunMyAccountsExtractLedgerOperator(CheckedMixin, BaseOperator):
    """Carry the general ledger into a warehouse, whole months at a time, each with a proof.

    Every month is read anew, held against the service's own balances, and replaced in one transaction, also if it has
    become empty: vouchers that were changed or deleted since are as they are in the books. Run it again as often as you
    like; a month that has not changed is proven again and not rewritten.

    .. seealso:: :doc:`/ledger`

    :param destination: address of the warehouse: ``duckdb:////data/ledger.duckdb`` (four slashes begin an absolute
        path), a path that ends in ``.duckdb``, a folder for Parquet files on any object storage, e.g.
        ``s3://bucket/ledger`` or ``file:///data/ledger``, or ``conn://ID`` for the database of an Airflow connection.
        (templated)
    :param destination_conn_id: Airflow connection of that object storage. (templated)
    :param rma_conn_id: connection of the tenant; reading needs no ``allow_writes``. (templated)
    :param from_date: a day in the first month, ``YYYY-MM-DD`` or a date. (templated)
    :param to_date: a day in the last month, inclusive; by default the run's day in Zurich. (templated)
    :param reread_days: without ``from_date``, the months are read again that lie up to so many days back.
    :param on_unproven: ``fail``: a month that cannot be proven keeps its old state, the others are still loaded, then
        the task fails. ``keep``: it is loaded and marked with its verdict.
    :param tolerance: CHF by which a voucher or an account may be off and still count as ``tolerated``.
    :param account_kinds: ``balance_sheet``, ``income_statement`` or ``closing`` by account number or pattern
        (``79xx``), for charts whose first digit does not tell.
    :param content_type: ``xml`` by default, the form that is documented for the ledger, or ``json``.
    :param skip_unchanged: do not read a month whose balances are those of its last full reading, which may not lie
        back seven days; it is then marked ``balances_only``, which is not proven.
    :param max_chain_months: months before the period that are read again at most if somebody has booked in one of them;
        beyond that they are named and the month is not proven.
    :param history: keep superseded postings in ``postings_history``; for all runs of a warehouse.
    :param resume_since: months that were loaded and proven by a reading of this moment or later are passed over without
        a request. ISO 8601 or a date-time; without an offset in Zurich, a day is its midnight there. By default a retry
        passes over what was done since the DAG run began, and a first try, also after the task was cleared, over
        nothing. ``1900-01-01``: every month that was ever proven, for a back-fill over many nights. (templated)
    :param stop_at: no month is begun at this moment or later; the task then succeeds, with ``stopped`` and the months
        that are left in ``remaining``. ``HH:MM``, the next time after the start of the DAG run that it is so late in
        Zurich, or a moment as above. (templated)
    :param output_path: folder for the page of the run; ``[rma] storage_path`` by default. (templated)
    :returns: counts, months, verdicts, the first reasons, where the warehouse is, and ``page_path`` (an HTML page of
        the run); never postings.
    """

    template_fields: Sequence[str] = (
        "rma_conn_id",
        "destination",
        "destination_conn_id",
        "from_date",
        "to_date",
        "resume_since",
        "stop_at",
        "output_path",
    )
    ui_color = "#e8eef4"

    def __init__(
        self,
        *,
        destination: str,
        destination_conn_id: str | None = None,
        rma_conn_id: str = RunMyAccountsHook.default_conn_name,
        from_date: date | str | None = None,
        to_date: date | str | None = None,
        reread_days: int = 90,
        on_unproven: str = "fail",
        tolerance: Decimal | int | str = "0.01",
        account_kinds: Mapping[str, str] | None = None,
        content_type: str | None = None,
        skip_unchanged: bool = False,
        max_chain_months: int = 24,
        history: bool = False,
        resume_since: date | datetime | str | None = None,
        stop_at: datetime | str | None = None,
        output_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.destination_conn_id = destination_conn_id
        self.rma_conn_id = rma_conn_id
        self.from_date = from_date
        self.to_date = to_date
        self.reread_days = reread_days
        self.on_unproven = on_unproven
        self.tolerance = tolerance
        self.account_kinds = account_kinds
        self.content_type = content_type
        self.skip_unchanged = skip_unchanged
        self.max_chain_months = max_chain_months
        self.history = history
        self.resume_since = resume_since
        self.stop_at = stop_at
        self.output_path = output_path
        check_parameters(
            self,
            destination=destination,
            destination_conn_id=destination_conn_id,
            rma_conn_id=rma_conn_id,
            from_date=from_date,
            to_date=to_date,
            reread_days=reread_days,
            on_unproven=on_unproven,
            tolerance=tolerance,
            account_kinds=account_kinds,
            content_type=content_type,
            skip_unchanged=skip_unchanged,
            max_chain_months=max_chain_months,
            history=history,
            resume_since=resume_since,
            stop_at=stop_at,
            output_path=output_path,
        )
        check_period(from_date, to_date)

    def execute(self, context: Context) -> dict[str, Any]:
        """Extract, and return what became of each month."""
        task_try, page_path = f"{task_run(context['ti'])}/try{context['ti'].try_number}", ""
        kept: list[dict[str, Any]] = []
        with airflow_errors(context["ti"]), attach_result(kept):
            from airflow_provider_rma.ledger.extract import extract_ledger

            check_rendered(self)
            hook = RunMyAccountsHook(self.rma_conn_id, content_type=self.content_type or "xml")
            with hook.get_conn() as client, self._open() as destination:

                def keep_page(result: LedgerResult) -> None:
                    nonlocal page_path
                    page_path = self._write_page(result, destination, context["ti"], task_try)
                    kept.append(result.as_dict() | {"page_path": page_path})

                result = extract_ledger(
                    client,
                    destination,
                    from_date=self.from_date,
                    to_date=self.to_date,
                    reread_days=self.reread_days,
                    on_unproven=self.on_unproven,
                    tolerance=self.tolerance,
                    account_kinds=self.account_kinds,
                    content_type=client.config.content_type,
                    skip_unchanged=self.skip_unchanged,
                    max_chain_months=self.max_chain_months,
                    resume_since=self._since(context),
                    stop_at=self._stop(context),
                    task_run=task_try,
                    on_result=keep_page,
                )
        return result.as_dict() | {"page_path": page_path}

    def _since(self, context: Context) -> date | datetime | str | None:
        from airflow_provider_rma.ledger.windows import is_blank

        if not is_blank(self.resume_since):
            return self.resume_since
        ti: Any = context["ti"]
        # As Airflow counts tries. A task that is cleared while its DAG run goes on keeps the start of the run, yet
        # whoever clears it wants everything read.
        first_try = ti.max_tries - (self.retries or 0) + 1
        return context["dag_run"].start_date if ti.try_number > first_try else None

    def _stop(self, context: Context) -> datetime | None:
        from airflow_provider_rma.ledger.windows import now_utc, parse_stop_at

        # Counted from the run, so that a retry after that o'clock does not go on until the next day.
        return parse_stop_at(self.stop_at, context["dag_run"].start_date or now_utc())

    def _write_page(self, result: LedgerResult, destination: Destination, ti: Any, task_try: str) -> str:
        """Write the page of a run, also of one that then fails. Returns its path."""
        from airflow_provider_rma.billing.storage import create_file
        from airflow_provider_rma.hooks.settings import file_mode, run_folder
        from airflow_provider_rma.ledger.pages.run import ledger_page

        def rows(table: str) -> list[dict[str, Any]]:
            months = (destination.read_table(table, result.tenant, month.window) for month in result.windows)
            try:
                return [row for month in months for row in month.to_pylist()]
            except DestinationError as error:
                # The page is wanted most where the warehouse is what failed.
                self.log.warning("The page has no rows of the table %s: %s", table, error)
                return []

        folder = run_folder(result.tenant, "ledger", ti, self.output_path)
        page: Any = folder / "ledger.html"
        with create_file(page.fs, page.path, file_mode()) as stream:
            stream.write(
                ledger_page(result, proofs=rows("proofs"), balances=rows("balances"), task_run=task_try).encode()
            )
        self.log.info("Page of the run: %s", page)
        return str(page)

    def _open(self) -> Destination:
        from airflow_provider_rma.hooks.warehouse import open_warehouse

        return open_warehouse(str(self.destination), self.destination_conn_id, history=self.history)


class RunMyAccountsEstimateLedgerOperator(CheckedMixin, BaseOperator):
    """Say what an extract of the general ledger will take: requests, postings, hours.

    The first, the middle and the last month are read as the extract would read them, and the others are estimated from
    these. Nothing is written anywhere. With ``destination`` and ``resume_since``, only months that are not done yet
    count; if there is none, nothing is asked.

    .. seealso:: :doc:`/ledger`

    :param rma_conn_id: connection of the tenant; reading needs no ``allow_writes``. (templated)
    :param from_date: a day in the first month, ``YYYY-MM-DD`` or a date. (templated)
    :param to_date: a day in the last month, inclusive; by default the run's day in Zurich. (templated)
    :param reread_days: without ``from_date``, the months that lie up to so many days back.
    :param account_kinds: as of the extract.
    :param content_type: ``xml`` by default, or ``json``.
    :param destination: address of the warehouse that will be filled, to see which months are done; where there is none
        yet, an empty one is made. (templated)
    :param destination_conn_id: Airflow connection of that object storage. (templated)
    :param resume_since: as of the extract; by default no month is done. (templated)
    :returns: ``months`` to be read and ``done``; ``calls``, ``postings`` and ``hours``, each ``low``, ``expected`` and
        ``high``; the ``probes``; and a sentence, ``summary``.
    """

    template_fields: Sequence[str] = (
        "rma_conn_id",
        "from_date",
        "to_date",
        "destination",
        "destination_conn_id",
        "resume_since",
    )
    optional_parameters = frozenset({"destination"})
    ui_color = "#e8eef4"

    def __init__(
        self,
        *,
        rma_conn_id: str = RunMyAccountsHook.default_conn_name,
        from_date: date | str | None = None,
        to_date: date | str | None = None,
        reread_days: int = 90,
        account_kinds: Mapping[str, str] | None = None,
        content_type: str | None = None,
        destination: str | None = None,
        destination_conn_id: str | None = None,
        resume_since: date | datetime | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rma_conn_id = rma_conn_id
        self.from_date = from_date
        self.to_date = to_date
        self.reread_days = reread_days
        self.account_kinds = account_kinds
        self.content_type = content_type
        self.destination = destination
        self.destination_conn_id = destination_conn_id
        self.resume_since = resume_since
        check_parameters(
            self,
            rma_conn_id=rma_conn_id,
            from_date=from_date,
            to_date=to_date,
            reread_days=reread_days,
            account_kinds=account_kinds,
            content_type=content_type,
            destination_conn_id=destination_conn_id,
            resume_since=resume_since,
            destination=destination,
        )
        check_period(from_date, to_date)

    def execute(self, context: Context) -> dict[str, Any]:
        """Probe, and return the estimate."""
        with airflow_errors(context["ti"]), ExitStack() as opened:
            from airflow_provider_rma.ledger.estimate import estimate_ledger

            check_rendered(self)
            hook = RunMyAccountsHook(self.rma_conn_id, content_type=self.content_type or "xml")
            client = opened.enter_context(hook.get_conn())
            return estimate_ledger(
                client,
                from_date=self.from_date,
                to_date=self.to_date,
                reread_days=self.reread_days,
                account_kinds=self.account_kinds,
                content_type=client.config.content_type,
                destination=opened.enter_context(self._open()) if self.destination else None,
                resume_since=self.resume_since,
            ).as_dict()

    def _open(self) -> Destination:
        from airflow_provider_rma.hooks.warehouse import open_warehouse

        return open_warehouse(str(self.destination), self.destination_conn_id)
