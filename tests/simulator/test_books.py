"""The facade of the simulator's books: master data, checks, storage, documents, year-end."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.simulator import demo_company
from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.master_tables import load_master, read_truth
from airflow_provider_rma.simulator.books.refusal import RefusalError
from airflow_provider_rma.simulator.books.rules import check_invoice, check_payment


@pytest.fixture
def books() -> Iterator[Books]:
    books = Books.create(":memory:", demo_company.build_master())
    yield books
    books.close()


def booking(number: str = "R-1", **changes: Any) -> dict[str, Any]:
    """An invoice of the booking method: 99.00 and 8 % VAT of 2012."""
    return {
        "invnumber": number,
        "customernumber": "K-001",
        "transdate": "2012-08-06",
        "duedate": "2012-09-05",
        "incomeentries": [{"amount": "99.0", "income_accno": "3400", "description": ""}],
        "taxentries": [{"amount": "7.92", "tax_accno": "2201"}],
        **changes,
    }


def articles(number: str = "A-1", **changes: Any) -> dict[str, Any]:
    """An invoice of the article method over 5 ART-1."""
    return {
        "invnumber": number,
        "customernumber": "K-001",
        "transdate": "2012-08-06",
        "lines": [{"partnumber": "ART-1", "quantity": "5.0", "sellprice": "99.0", "income_accno": "0"}],
        **changes,
    }


def rows(books: Books, number: int) -> list[tuple[str, Decimal]]:
    return [(posting["accno"], posting["amount"]) for posting in books.document(number)["postings"]]


# ---------------------------------------------------------------- documents


def test_booking_sample_totals_106_92(books: Books) -> None:
    number = books.post_invoice(booking("A1.1"))
    document = books.document(number, today="2012-09-06")
    assert document["amount"] == Decimal("106.92")
    assert document["netamount"] == Decimal("99")
    assert document["status"] == "OVERDUE"
    assert rows(books, number) == [("3400", Decimal("99")), ("2201", Decimal("7.92")), ("1100", Decimal("-106.92"))]


def test_down_payment_sample_totals_648(books: Books) -> None:
    entries = [{"amount": "600.0", "income_accno": "2030", "description": "Anzahlung"}]
    taxes = [{"amount": "48.0", "tax_accno": "2201"}]
    number = books.post_invoice(booking("A3.1", incomeentries=entries, taxentries=taxes))
    assert books.document(number)["amount"] == Decimal("648.00")
    assert books.document(number)["postings"][0]["memo"] == "Anzahlung"


def test_article_sample_takes_price_account_and_tax_of_its_day(books: Books) -> None:
    number = books.post_invoice(articles())
    assert books.document(number)["amount"] == Decimal("534.60")  # 495.00 and 8.0 %
    assert rows(books, number)[0] == ("3400", Decimal("495"))
    later = books.post_invoice(articles(transdate=date(2025, 1, 2)))
    assert books.document(later)["amount"] == Decimal("535.10")  # 8.1 %, rounded half away from zero
    assert books.document(later)["transdate"] == "2025-01-02"


def test_line_is_filled_from_the_article_where_it_is_silent(books: Books) -> None:
    number = books.post_invoice(articles(lines=[{"partnumber": "HB-104", "quantity": Decimal("1000")}]))
    line = books.document(number)["lines"][0]
    assert (line["sellprice"], line["unit"], line["income_accno"]) == ("0.125", "Stk", "3200")
    assert line["description"].startswith("Holzschraube")
    assert books.document(number)["netamount"] == Decimal("125")


def test_tax_needs_both_article_and_customer(books: Books) -> None:
    number = books.post_invoice(articles(customernumber="K-901"))
    assert books.document(number)["amount"] == books.document(number)["netamount"] == Decimal("495")
    untaxed = books.post_invoice(articles(lines=[{"partnumber": "DL-302", "quantity": "2"}]))
    assert books.document(untaxed)["amount"] == Decimal("30")


def test_extra_header_texts_come_back_as_given(books: Books) -> None:
    texts = {
        "ordnumber": "O/1", "notes": "gedruckt", "intnotes": "intern", "description": "Titel", "language_code": "de",
        "dcn": "210000000003139471430009017", "payment_accno": "1030", "department": "Department 2",
    }  # fmt: skip
    document = books.document(books.post_invoice(booking(**texts)))
    assert {name: document[name] for name in texts} == texts
    assert document["postings"][0]["department"] == "Department 2"
    assert document["ar_accno"] == "1100"


def test_numbers_need_not_be_unique_and_compare_exactly(books: Books) -> None:
    first, second = books.post_invoice(booking("R-7")), books.post_invoice(booking("R-7"))
    assert books.find_invoices("R-7") == [first, second]
    assert books.find_invoices("r-7") == books.find_invoices("R-") == []
    purchase = books.post_purchase({"invnumber": "R-7", "vendornumber": "L-001", "transdate": "2025-01-02",
                                    "expenseentries": [{"amount": "10", "expense_accno": "6500"}]})  # fmt: skip
    assert books.find_invoices("R-7") == [first, second]
    assert books.find_documents("R-7", "ap") == [purchase]


def test_a_failed_document_leaves_nothing(books: Books) -> None:
    before = books.post_invoice(booking())
    with pytest.raises(RefusalError):
        books.post_invoice(booking(incomeentries=[{"amount": "1", "income_accno": "9876"}]))
    with pytest.raises(RefusalError):
        books.resave(before, booking(taxentries=[{"amount": "1", "tax_accno": "2"}]))
    assert len(list(books.postings())) == 3
    assert len(books.latest_vouchers(10)) == 1
    assert books.document(before)["amount"] == Decimal("106.92")


def test_documents_written_together_stand_or_fall_together(books: Books) -> None:
    def two() -> None:
        with books.in_one_transaction():
            books.post_invoice(booking("T-1"))
            books.post_invoice(booking("T-2", customernumber="K-999"))

    with pytest.raises(RefusalError):
        two()
    assert books.find_invoices("T-1") == []
    with books.in_one_transaction():
        books.post_invoice(booking("T-1"))
    assert len(books.find_invoices("T-1")) == 1


def test_payments_have_lasting_ids(books: Books) -> None:
    number = books.post_invoice(booking())
    first = books.pay(number, {"amount": "100", "datepaid": date(2012, 8, 20), "payment_accno": "1030"}, "save_again")
    second = books.pay(number, {"amount": "6.92", "datepaid": "2012-08-21", "memo": "Rest"})
    assert first["id"] != second["id"]
    assert second["memo"] == "Rest"
    assert second["amount"] == Decimal("6.92")
    assert second["invnumber"] == "R-1"
    document = books.document(number, today="2030-01-01")
    assert document["status"] == "PAID"
    assert [payment["id"] for payment in document["payments"]] == [first["id"], second["id"]]
    third = books.pay(number, {"amount": "-1", "datepaid": "2012-08-22"}, "save_again")
    assert [payment["id"] for payment in books.document(number)["payments"]] == [first["id"], second["id"], third["id"]]
    assert books.document(number)["postings"][-1]["accno"] == "1020", "the default account"


def test_a_voucher_of_the_general_ledger_cannot_be_paid(books: Books) -> None:
    number = books.post_gl({"transdate": "2025-01-02", "lines": [{"accno": "1000", "debit": "1"}]})
    with pytest.raises(RefusalError):
        books.pay(number, {"amount": "1", "datepaid": "2025-01-02"})


def test_unbalance_alters_one_row_in_place(books: Books) -> None:
    number = books.post_invoice(booking())
    before = books.document(number)["postings"]
    books.unbalance(number)
    after = books.document(number)["postings"]
    assert [posting["entry_id"] for posting in after] == [posting["entry_id"] for posting in before]
    assert sum(posting["amount"] for posting in after) == Decimal("0.01")
    with pytest.raises(KeyError):
        books.unbalance(1)


def test_entry_ids_are_never_reused(books: Books) -> None:
    number = books.post_invoice(booking())
    last = books.document(number)["postings"][-1]["entry_id"]
    books.delete(number)
    again = books.post_invoice(booking())
    assert books.document(again)["postings"][0]["entry_id"] == last + 1
    assert again > number


def test_ids_of_all_kinds_are_one_sequence(books: Books) -> None:
    ids = [entity["id"] for entity in (*books.accounts(), *books.departments(), *books.projects(), *books.parts(),
                                       *books.customers(), *books.vendors())]  # fmt: skip
    ids.append(books.post_invoice(booking()))
    assert len(set(ids)) == len(ids)
    assert min(ids) == 10001


def test_status_rules(books: Books) -> None:
    def status(paid: str | None, today: str, **changes: Any) -> str:
        number = books.post_invoice(booking(**changes))
        if paid:
            books.pay(number, {"amount": paid, "datepaid": "2012-08-10"})
        return str(books.document(number, today=today)["status"])

    assert status(None, "2012-09-05") == "OPEN"
    assert status(None, "2012-09-06") == "OVERDUE"
    assert status("106.92", "2030-01-01") == "PAID"
    assert status("106.93", "2012-09-01") == "OPEN", "an over-paid invoice counts as open"
    assert status(None, "2030-01-01", incomeentries=[], taxentries=[]) == "PAID", "nothing to pay"


def test_invoice_list_filters(books: Books) -> None:
    books.post_invoice(booking("JAN", transdate="2025-01-31", duedate="2025-03-01"))
    paid = books.post_invoice(booking("FEB", transdate="2025-02-01", duedate="2025-02-10"))
    books.post_invoice(booking("FEB2", transdate="2025-02-28", customernumber="K-901", duedate="2025-02-28"))
    books.pay(paid, {"amount": "106.92", "datepaid": "2025-02-05"})

    def numbers(**filters: Any) -> list[str]:
        return [invoice["invnumber"] for invoice in books.invoices(today="2025-02-28", **filters)]

    assert numbers() == ["JAN", "FEB", "FEB2"]
    assert numbers(from_date="2025-01-31", to_date=date(2025, 2, 1)) == ["JAN", "FEB"], "both dates inclusive"
    assert numbers(status="PAID") == ["FEB"]
    assert numbers(status="OPEN") == ["JAN", "FEB2"]
    assert numbers(status="OVERDUE") == []
    assert numbers(customernumber="K-901") == ["FEB2"]
    overdue = books.invoices(today="2025-03-01", status="OPEN")
    assert [invoice["status"] for invoice in overdue] == ["OPEN", "OVERDUE"], "open includes overdue"
    assert [invoice["invnumber"] for invoice in books.open_invoices("2025-03-01")] == ["JAN", "FEB2"]


# ---------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("document", "field", "word"),
    [
        (booking(""), "invnumber", "Rechnungsnummer"),
        (booking(customernumber="K-999"), "customernumber", "K-999"),
        (booking(incomeentries=[{"amount": "1", "income_accno": "9999"}]), "income_accno", "9999"),
        (booking(incomeentries=[{"amount": "1", "income_accno": "3"}]), "income_accno", "'3'"),
        (booking(taxentries=[{"amount": "1", "tax_accno": "2299"}]), "tax_accno", "2299"),
        (booking(ar_accno="1199"), "ar_accno", "1199"),
        (booking(incomeentries=[], taxentries=[]), "incomeentries", "Positionen"),
        (booking(department="Keller"), "department", "Keller"),
        (booking(transdate="2012-06-30"), "transdate", "abgeschlossen"),
        (
            booking(payments=[{"amount": "1", "datepaid": "2012-08-10", "payment_accno": "3400"}]),
            "payment_accno",
            "3400",
        ),
        (booking(payments=[{"amount": "1", "datepaid": "2012-06-30"}]), "datepaid", "abgeschlossen"),
        (articles(lines=[]), "parts", "Positionen"),
        (articles(lines=[{"partnumber": "X-1"}]), "partnumber", "X-1"),
        (articles(lines=[{"partnumber": "ART-1", "income_accno": "3999"}]), "income_accno", "3999"),
        (booking(lines=[{"partnumber": "ART-1"}]), "parts", "entweder"),
    ],
)
def test_check_refuses_in_german(books: Books, document: dict[str, Any], field: str, word: str) -> None:
    books.set_close_date("2012-06-30")
    with pytest.raises(RefusalError, match=word) as refusal:
        check_invoice(books, document)
    assert refusal.value.field == field
    assert str(refusal.value) == refusal.value.text
    assert list(books.postings()) == []


def test_check_accepts_what_the_interface_accepts(books: Books) -> None:
    books.set_close_date(date(2012, 6, 30))
    check_invoice(books, booking(transdate=date(2012, 7, 1)))
    check_invoice(books, articles(department="Department 2"))
    check_invoice(books, booking(customernumber="K-NEW", customer={"customernumber": "K-NEW"}))
    check_payment(books, {"amount": "12.95", "datepaid": "2012-08-10", "payment_accno": "3800"})
    with pytest.raises(RefusalError):
        check_payment(books, {"amount": "1", "datepaid": "2012-08-10", "payment_accno": "3800"}, link="AP_paid")


# ---------------------------------------------------------------- master data


def test_saved_customer_gets_the_defaults(books: Books) -> None:
    books.save_customer({"customernumber": "K-100", "name": "Gratblick Hütte", "arap_accno": "", "payment_accno": ""})
    customer = books.customer("K-100")
    assert customer is not None
    assert (customer["arap_accno"], customer["payment_accno"]) == ("1100", "1020")
    assert customer["tax_accnos"] == ["2201", "2202"]
    assert customer["curr"] == "CHF"
    assert customer["terms"] is None
    assert customer["email"] == ""
    assert customer["created"]


def test_saving_a_customer_again_overwrites_everything_but_its_id(books: Books) -> None:
    number = books.save_customer({"customernumber": "K-100", "name": "A", "email": "a@example.com", "terms": "30",
                                  "tax_accnos": "2201", "taxfree": "true"})  # fmt: skip
    first = books.customer("K-100")
    assert first is not None
    assert (first["terms"], first["tax_accnos"], first["taxfree"]) == (30, ["2201"], True)
    assert books.save_customer({"customernumber": "K-100", "name": "B"}) == number
    second = books.customer("K-100")
    assert second is not None
    assert (second["name"], second["email"], second["terms"]) == ("B", "", None)
    assert second["created"] == first["created"]
    assert books.customer("k-100") is None
    assert len([customer for customer in books.customers() if customer["customernumber"] == "K-100"]) == 1


def test_vendors_and_parts_are_saved(books: Books) -> None:
    books.save_vendor({"vendornumber": "L-9", "name": "Käserei"})
    vendor = books.vendor("L-9")
    assert vendor is not None
    assert (vendor["arap_accno"], vendor["tax_accnos"]) == ("2000", ["1170", "1171"])
    books.save_part({"partnumber": "Z-1", "sellprice": Decimal("1.50"), "income_accno": "3200", "tax_accnos": "2202"})
    part = books.part("Z-1")
    assert part is not None
    assert (part["sellprice"], part["tax_accnos"], part["description"]) == ("1.50", ["2202"], "")


def test_demo_company_has_what_the_samples_need(books: Books) -> None:
    accounts = {account["accno"]: account for account in books.accounts()}
    assert accounts["2201"]["link"] == "AR_tax:IC_taxpart:IC_taxservice"
    assert [tax["rate"] for tax in accounts["2201"]["taxes"]] == [Decimal("0.08"), Decimal("0.077"), Decimal("0.081")]
    for accno in ("1000", "1020", "1021", "1030", "1090", "3800", "3801", "6940"):
        assert "AR_paid" in accounts[accno]["link"].split(":")
    assert accounts["1100"]["allow_gl"] is False
    assert {"ART-1", "ART-2"} <= {part["partnumber"] for part in books.parts()}
    assert all(len(part["unit"]) <= 5 for part in books.parts())
    assert books.find_department("Department 2") is not None
    assert books.tenant["languages"] == ["de", "fr", "it"]
    taxed = {accno for part in books.parts() for accno in part["tax_accnos"]}
    assert {"2201", "2202"} <= taxed


@pytest.mark.parametrize("form", ["{name}", "{name}--{id}", "{name}-{id}", "{name}–{id}"])
def test_department_is_found_in_every_written_form(books: Books, form: str) -> None:
    department = books.departments()[0]
    assert books.find_department(form.format(**department)) == department


def test_master_file_must_be_complete(tmp_path: Path) -> None:
    path = tmp_path / "master.json"
    path.write_text('{"tenant": {}, "accounts": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="taxes"):
        load_master(path)


@pytest.mark.parametrize(
    ("value", "meaning"), [("true", True), (" True", True), ("false", False), ("", False), (True, True)]
)
def test_truth(value: Any, meaning: bool) -> None:
    assert read_truth(value) is meaning


# ---------------------------------------------------------------- storage


def test_books_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    books = Books.create(path, demo_company.build_master())
    number = books.post_invoice(booking(None))  # type: ignore[arg-type]
    books.set_close_date("2011-12-31")
    before = books.document(number, today="2012-08-06")
    books.close()
    books = Books.open(path)
    assert books.document(number, today="2012-08-06") == before
    assert before["invnumber"] == "90001"
    assert books.tenant["closedto"] == "2011-12-31"
    assert books.document(books.post_invoice(booking("")))["invnumber"] == "90002"
    books.close()
    with pytest.raises(FileNotFoundError):
        Books.open(tmp_path / "absent.db")
    with pytest.raises(sqlite3.OperationalError):
        Books.create(path, demo_company.build_master())


def test_two_connections_see_each_others_writes(tmp_path: Path) -> None:
    writer = Books.create(tmp_path / "books.db", demo_company.build_master())
    reader = Books.open(tmp_path / "books.db")
    number = writer.post_invoice(booking())
    writer.set_close_date("2011-12-31")
    assert reader.document(number)["amount"] == Decimal("106.92")
    assert reader.tenant["closedto"] == "2011-12-31"
    writer.close()
    reader.close()


def test_a_long_read_sees_one_state(tmp_path: Path) -> None:
    books = Books.create(tmp_path / "books.db", demo_company.build_master())
    for day in ("01", "02", "03"):
        books.post_invoice(booking(transdate=f"2025-01-{day}"))
    count, postings = books.counted_postings()
    seen = [next(postings)]
    books.post_invoice(booking(transdate="2025-01-04"))
    seen += postings
    assert len(seen) == count == 9
    assert books.count_postings() == 12
    books.close()


def test_many_threads_post_at_once(tmp_path: Path) -> None:
    books = Books.create(tmp_path / "books.db", demo_company.build_master())

    def work(worker: int) -> None:
        for turn in range(20):
            books.post_invoice(booking(f"T-{worker}-{turn}"))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(books.invoices(today="2025-01-01"))) == 80
    assert books.count_postings() == 240
    books.close()
