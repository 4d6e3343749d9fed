"""The general ledger: account transactions and the trial balance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.http.operations.base import ApiRequest, Operation
from airflow_provider_rma.simulator.http.operations.master_data import render_account_stub, render_department
from airflow_provider_rma.simulator.http.responses import ResponseError, Result
from airflow_provider_rma.simulator.http.serialise import (
    Values,
    render_day,
    render_double,
    render_four_decimals,
)
from airflow_provider_rma.simulator.http.wire import Listing, Rendered, Template, Tree, slot


def list_transactions(books: Books, request: ApiRequest) -> Result:
    """List the postings of the accounts that fit a pattern, with their number announced."""
    pattern = request.params["accno"]
    unknown = "x" not in pattern.lower() and all(account["accno"] != pattern for account in books.accounts())
    if unknown and request.settings.unknown_account == 404:
        raise ResponseError(404, f"Das Konto '{pattern}' wurde nicht gefunden.")
    wanted = (
        pattern,
        request.day("from_date"),
        request.day("to_date", request.settings.day),
        request.flag("include_openings", default=False),
        request.flag("include_closings", default=False),
    )
    count, postings = books.counted_postings(*wanted)
    return Listing(
        "transaction",
        _render_transactions(postings),
        root="transactions",
        attributes={"@number_of_transaction": str(count)},
    )


def list_balances(books: Books, request: ApiRequest) -> Result:
    """List the balances of the accounts that moved, in the sign in which a balance is shown."""
    rows = books.balances(
        accno_pattern=request.query.get("accno") or "x",
        from_date=request.day("from"),
        to_date=request.day("to", request.settings.day),
        department=request.query.get("department") or None,
        exclude_yearend=request.flag("exclude_yearend_bookings", default=False),
        include_openings=request.flag("include_openings", default=True),
        project=request.query.get("project") or None,
        main_currency=request.flag("bookkeeping_main_curr", default=True),
    )
    return Listing("row", map(_render_balance, rows), root="table")


def list_balances_v1(books: Books, request: ApiRequest) -> Result:
    """List balances as the first version does: number, name and balance by position."""
    rows = books.balances(
        accno_pattern=request.query.get("accno") or "x",
        from_date=request.day("from"),
        to_date=request.day("to", request.settings.day),
        exclude_yearend=request.flag("exclude_yearend_bookings", default=False),
    )
    return Listing("row", (Listing("column", list(_render_balance(row).values())) for row in rows), root="table")


def _render_transactions(postings: Iterable[Values]) -> Iterator[Rendered]:
    """Render postings, with one template for each department."""
    templates: dict[int, Template] = {}
    for posting in postings:
        department = posting["department"]
        key = department["id"] if department else 0
        template = templates.get(key)
        if template is None:
            template = templates[key] = Template(
                _render_transaction([slot(number) for number in range(13)], department)
            )
        accno = posting["accno"]
        yield Rendered(
            template,
            (
                str(posting["id"]),
                accno,
                render_day(posting["transdate"]),
                posting["reference"] or "",
                posting["description"] or "",
                render_double(posting["amount"]),
                posting["module"],
                posting["source"] or "",
                str(posting["entry_id"]),
                posting["memo"] or "",
                posting["notes"] or "",
                posting["intnotes"] or "",
                accno,
            ),
        )


def _render_transaction(texts: Sequence[str], department: Values | None) -> Tree:
    """Render a posting; the account inside is a stub with the number only, as documented."""
    id_, accno, transdate, reference, description, amount, module, source, entry_id, memo, notes, intnotes, last = texts
    return {
        "id": id_,
        "chart": render_account_stub(accno),
        "transdate": transdate,
        "reference": reference,
        "description": description,
        "amount": amount,
        "module": module,
        "source": source,
        "entry_id": entry_id,
        "memo": memo,
        "notes": notes,
        "intnotes": intnotes,
        "department": render_department(department) if department else None,
        "accno": last,
    }


def _render_balance(row: Values) -> Tree:
    """Render a row of the trial balance: four decimals, natural sign."""
    return {
        "accountnumber": row["accno"],
        "accountname": row["description"],
        "amount": render_four_decimals(row["amount"]),
    }


OPERATIONS = (
    Operation("GET", ("charts", "{accno}", "transactions"), "read_transactions", list_transactions),
    Operation("GET", ("gl", "v2", "saldo"), "read_saldo", list_balances),
    Operation("GET", ("gl", "saldo"), "read_saldo_v1", list_balances_v1),
)
