"""Bill straight from a database: a query on any Airflow connection becomes customers or invoices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.hooks.sql import query
from airflow_provider_rma.operators.base import RecordsMixin
from airflow_provider_rma.operators.billing import (
    RunMyAccountsCreateCustomersOperator,
    RunMyAccountsCreateInvoicesOperator,
)
from airflow_provider_rma.operators.parameters import check_parameters

if TYPE_CHECKING:
    from airflow_provider_rma.billing.records.model import Record, RefusedRecord

#: Parameters by which the operators take records in another way.
_OTHER_SOURCES = ("source", "source_conn_id", "encoding", "invoices", "customers", "plan", "plan_hash")


class _FromSql(RecordsMixin):
    """The parameters of a query, for operators that take their records from one.

    An operator itself, because Airflow prepares the ``__init__`` of operators only.
    """

    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql"}

    def __init__(
        self, *, sql: str, sql_conn_id: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None, **kwargs: Any
    ) -> None:
        given = [name for name in _OTHER_SOURCES if kwargs.get(name) is not None]
        if given:
            raise ConfigurationError(
                f"{', '.join(given)}: given together with sql", advice="Records come from the query; leave it out."
            )
        super().__init__(**kwargs)
        check_parameters(self, sql=sql, sql_conn_id=sql_conn_id, parameters=parameters)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters

    def _check_source(self) -> None:
        """Records come from the query; any other source was refused before."""

    def _read_records(self) -> Iterator[Record | RefusedRecord]:
        """Read the rows of the query."""
        from airflow_provider_rma.billing.records.columns import COLUMNS
        from airflow_provider_rma.billing.records.nesting import nest_rows

        columns = COLUMNS[self._kind]
        return nest_rows(query(self.sql_conn_id, self.sql, self.parameters, columns), key=columns.key)


class SqlToRunMyAccountsCustomersOperator(_FromSql, RunMyAccountsCreateCustomersOperator):
    """Create customers from the rows of a query: one row, one customer, columns named as RMA's fields.

    .. seealso:: :doc:`/customers`

    :param sql: the query, or the path of a ``.sql`` file. (templated)
    :param sql_conn_id: connection of the database. (templated)
    :param parameters: parameters of the query, in the way the database's driver takes them. (templated)

    All other parameters are those of :class:`RunMyAccountsCreateCustomersOperator`.
    """

    template_fields: Sequence[str] = (
        *RunMyAccountsCreateCustomersOperator.template_fields,
        "sql",
        "sql_conn_id",
        "parameters",
    )


class SqlToRunMyAccountsInvoicesOperator(_FromSql, RunMyAccountsCreateInvoicesOperator):
    """Create invoices and credit notes from the rows of a query.

    One row is one line of an invoice; the rows of an invoice share its number and follow each other (``ORDER BY``).
    Columns are named as RMA's fields; a field of a line has its list in front: ``parts__quantity``,
    ``incomeentries__amount``, ``taxentries__tax_accno``. All other columns hold the same value in all rows of an
    invoice.

    .. seealso:: :doc:`/invoices`

    :param sql: the query, or the path of a ``.sql`` file. (templated)
    :param sql_conn_id: connection of the database. (templated)
    :param parameters: parameters of the query, in the way the database's driver takes them. (templated)

    All other parameters are those of :class:`RunMyAccountsCreateInvoicesOperator`.
    """

    template_fields: Sequence[str] = (
        *RunMyAccountsCreateInvoicesOperator.template_fields,
        "sql",
        "sql_conn_id",
        "parameters",
    )
