"""Rules that a document must pass before the interface posts it.

The ledger's own modules check almost nothing (posting oracle, D15 to D17); these are the rules of the layer
above, in the recommended reading of the API's unknowns. Texts are German, as the service's are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_rma.simulator.books.days import to_iso_document
from airflow_provider_rma.simulator.books.master_data import MasterDataStore
from airflow_provider_rma.simulator.books.refusal import RefusalError

_ENTRIES = (("incomeentries", "income_accno"), ("expenseentries", "expense_accno"), ("taxentries", "tax_accno"))
_METHODS = ("incomeentries", "expenseentries", "taxentries")


def check_invoice(master_data: MasterDataStore, document: Mapping[str, Any]) -> None:
    """Refuse an invoice that the interface would not accept.

    :param master_data: the master data of the tenant.
    :param document: the invoice with neutral names; with a full ``customer`` its number need not be known yet.
    :raises RefusalError: with a German sentence and the field.
    """
    if not document.get("customer") and master_data.customer(str(document.get("customernumber") or "")) is None:
        raise RefusalError(
            f"Der Kunde mit der Nummer '{document.get('customernumber') or ''}' ist nicht vorhanden.", "customernumber"
        )
    _check_document(master_data, document)


def check_purchase(master_data: MasterDataStore, document: Mapping[str, Any]) -> None:
    """Refuse a vendor invoice that the interface would not accept; its vendor comes with it.

    :param master_data: the master data of the tenant.
    :param document: the vendor invoice with neutral names.
    :raises RefusalError: with a German sentence and the field.
    """
    _check_document(master_data, document)


def _check_document(master_data: MasterDataStore, document: Mapping[str, Any]) -> None:
    document = to_iso_document(document)
    if not str(document.get("invnumber") or ""):
        raise RefusalError("Die Rechnungsnummer fehlt.", "invnumber")
    _check_content(document)
    _check_period(master_data, document.get("transdate"), "transdate")
    for field, accno in _accounts(document):
        _check_account(master_data, accno, field)
    for line in document.get("lines") or []:
        if master_data.part(str(line.get("partnumber") or "")) is None:
            raise RefusalError(f"Der Artikel '{line.get('partnumber') or ''}' ist nicht vorhanden.", "partnumber")
    if document.get("department") and master_data.find_department(str(document["department"])) is None:
        raise RefusalError(f"Die Abteilung '{document['department']}' ist nicht vorhanden.", "department")
    for payment in document.get("payments") or []:
        check_payment(master_data, payment)


def check_payment(master_data: MasterDataStore, payment: Mapping[str, Any], *, link: str = "AR_paid") -> None:
    """Refuse a payment dated in a closed period or on an account that takes no payments.

    :param master_data: the master data of the tenant.
    :param payment: ``datepaid``, ``payment_accno`` (empty: the default account), ``amount``.
    :param link: what the account must carry: ``AR_paid`` for invoices, ``AP_paid`` for purchases.
    :raises RefusalError: with a German sentence and the field.
    """
    payment = to_iso_document(payment)
    _check_period(master_data, payment.get("datepaid"), "datepaid")
    accno = str(payment.get("payment_accno") or "")
    if not accno:
        return
    account = _check_account(master_data, accno, "payment_accno")
    if link not in account["link"].split(":"):
        raise RefusalError(f"Das Konto '{accno}' ist kein Zahlungskonto.", "payment_accno")


def _check_content(document: Mapping[str, Any]) -> None:
    by_article = "lines" in document
    by_booking = any(document.get(name) for name in _METHODS)
    if by_article and by_booking:
        raise RefusalError("Eine Rechnung hat entweder Artikel oder Buchungszeilen, nicht beides.", "parts")
    if not document.get("lines") and not by_booking:
        raise RefusalError("Die Rechnung hat keine Positionen.", "parts" if by_article else _entries_field(document))


def _entries_field(document: Mapping[str, Any]) -> str:
    return "expenseentries" if "expenseentries" in document else "incomeentries"


def _check_period(master_data: MasterDataStore, day: Any, field: str) -> None:
    closed = master_data.tenant.get("closedto")
    if not day:
        raise RefusalError("Das Datum fehlt.", field)
    if closed and str(day) <= closed:
        raise RefusalError(f"Das Datum {day} liegt in einer abgeschlossenen Periode (bis {closed}).", field)


def _accounts(document: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Every account the document names, with the field that names it; ``0`` on a line means the article's."""
    for field in ("ar_accno", "ap_accno", "payment_accno"):
        if document.get(field):
            yield field, str(document[field])
    for name, field in _ENTRIES:
        for entry in document.get(name) or []:
            yield field, str(entry.get(field) or "")
    for line in document.get("lines") or []:
        for field in ("income_accno", "expense_accno"):
            if str(line.get(field) or "0") != "0":
                yield field, str(line[field])


def _check_account(master_data: MasterDataStore, accno: str, field: str) -> Mapping[str, Any]:
    account = master_data.account(accno)
    if account is None or account["charttype"] != "A":
        raise RefusalError(f"Das Konto '{accno}' ist nicht vorhanden.", field)
    return account
