"""Methods of the client for the general ledger: accounts, postings, balances, departments, projects."""

from __future__ import annotations

from datetime import date
from typing import Any

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.base import BaseClient
from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.client.stream import Entity, EntityStream, RawResponse

#: Accounts that a response may list; a chart has some hundreds.
MAX_ACCOUNTS = 100_000


class LedgerClient(BaseClient):
    """Accounts, postings, balances, departments, projects."""

    def list_charts(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """The chart of accounts."""
        return self._list(endpoints.LIST_CHARTS, content_type, most=MAX_ACCOUNTS)

    def iter_transactions(
        self,
        accno: str = "x",
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        include_openings: bool | None = None,
        include_closings: bool | None = None,
        content_type: ContentType | None = None,
    ) -> EntityStream:
        """Posting lines of accounts, amounts raw: debit negative, credit positive (documented sample, ledger code).

        The count that the service announces is checked at the end.

        :param accno: account number; ``x`` stands for any digit, alone for all accounts (documented).
        :param from_date: first day, inclusive; None is the beginning (inferred).
        :param to_date: last day, inclusive (inferred); None is the service's today (documented).
        :param include_openings: opening balances too; None leaves it to the service, whose default is not documented.
        :param include_closings: closing balances too; likewise.
        """
        query = _transaction_query(from_date, to_date, include_openings, include_closings)
        return self._open(endpoints.LIST_TRANSACTIONS, content_type, segments={"accno": accno}, query=query).entities()

    def open_transactions(
        self,
        accno: str = "x",
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        include_openings: bool | None = None,
        include_closings: bool | None = None,
        content_type: ContentType | None = None,
    ) -> RawResponse:
        """Like :meth:`iter_transactions`, as the bytes of the response; a context manager.

        What can be checked without decoding is checked: status, length, compression.
        """
        query = _transaction_query(from_date, to_date, include_openings, include_closings)
        return self._open(endpoints.LIST_TRANSACTIONS, content_type, segments={"accno": accno}, query=query)

    def list_balances(
        self,
        *,
        accno: str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
        department: str | None = None,
        bookkeeping_main_curr: bool | None = None,
        exclude_yearend_bookings: bool | None = None,
        include_openings: bool | None = None,
        project: str | None = None,
        content_type: ContentType | None = None,
    ) -> list[Entity]:
        """Balances of accounts. The sign convention is not documented; the sample shows liabilities positive.

        :param accno: account number, ``x`` for any digit; None is all accounts.
        :param from_date: first day, inclusive. Income-statement accounts need both days (documented).
        :param to_date: last day, inclusive; None is the service's today (documented).
        :param department: only postings of this department.
        :param bookkeeping_main_curr: in the books' main currency; None is the service's default, true (documented).
        :param exclude_yearend_bookings: without year-end closing vouchers.
        :param include_openings: with opening balances; None is the service's default, true (documented).
        :param project: only postings of this project, by number (seen in a client) or name (documented).
        """
        query = {
            "accno": accno,
            "from": from_date,
            "to": to_date,
            "department": department,
            "bookkeeping_main_curr": bookkeeping_main_curr,
            "exclude_yearend_bookings": exclude_yearend_bookings,
            "include_openings": include_openings,
            "project": project,
        }
        return self._list(endpoints.LIST_BALANCES, content_type, query=query, most=MAX_ACCOUNTS)

    def list_balances_v1(
        self,
        *,
        accno: str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
        exclude_yearend_bookings: bool | None = None,
        content_type: ContentType | None = None,
    ) -> list[Entity]:
        """Balances of accounts as the first version states them: with fewer filters, the same fields.

        Parameters as of :meth:`list_balances`, which is to be preferred.
        """
        query = {
            "accno": accno,
            "from": from_date,
            "to": to_date,
            "exclude_yearend_bookings": exclude_yearend_bookings,
        }
        return self._list(endpoints.LIST_BALANCES_V1, content_type, query=query, most=MAX_ACCOUNTS)

    def list_departments(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """All departments."""
        return self._list(endpoints.LIST_DEPARTMENTS, content_type)

    def list_projects(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """All projects."""
        return self._list(endpoints.LIST_PROJECTS, content_type)


def _transaction_query(
    from_date: date | None, to_date: date | None, include_openings: bool | None, include_closings: bool | None
) -> dict[str, Any]:
    return {
        "from_date": from_date,
        "to_date": to_date,
        "include_openings": include_openings,
        "include_closings": include_closings,
    }
