"""Reading the ledger: account transactions and trial balance with all their parameters, and the accountant's work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.simulator import SimulatorProcess, xml_root

TODAY = "2026-06-15"


def gl(reference: str, day: str, debit: str, credit: str, amount: str, **more: str) -> dict[str, Any]:
    """A voucher of two lines."""
    return {
        "reference": reference,
        "transdate": day,
        "lines": [{"accno": debit, "debit": amount}, {"accno": credit, "credit": amount}],
        **more,
    }


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("ledger") / "books.db") as process:
        process.control("PATCH", "/settings", {"today": TODAY})
        for voucher in [
            gl("G-1", "2024-12-01", "1020", "2800", "100000.00", description="Einlage"),
            gl("G-2", "2025-02-10", "6000", "1020", "1200.50"),
            gl("G-3", "2025-03-31", "1000", "3400", "300.00", department="Hüttenshop"),
            gl("G-4", "2026-01-05", "1500", "1020", "10000000.00", notes="gross", intnotes="intern"),
            gl("G-5", "2026-06-16", "1000", "1020", "50.00"),
        ]:
            process.control("POST", "/gl", voucher)
        yield process


def rows(simulator: SimulatorProcess, accno: str = "x", **query: str) -> list[tuple[str, str, str]]:
    """Reference, account and amount of the transactions; the announced number must be right in both forms."""
    found = simulator.get(f"/charts/{accno}/transactions", **query).json()
    listed = found.get("transaction", [])
    listed = listed if isinstance(listed, list) else [listed]
    root = xml_root(simulator.get(f"/charts/{accno}/transactions", form="xml", **query).content)
    assert found["@number_of_transaction"] == root.get("number_of_transaction") == str(len(listed)) == str(len(root))
    result = [(one["reference"], one["accno"], one["amount"]) for one in listed]
    assert result == [(str(one.findtext("reference")), one.findtext("accno"), one.findtext("amount")) for one in root]
    return result


def saldo(simulator: SimulatorProcess, **query: str) -> dict[str, str]:
    """Balances by account number, the same in both forms."""
    found = simulator.get("/gl/v2/saldo", **query).json() or {}
    listed = found.get("row", [])
    listed = listed if isinstance(listed, list) else [listed]
    root = xml_root(simulator.get("/gl/v2/saldo", form="xml", **query).content)
    result = {one["accountnumber"]: one["amount"] for one in listed}
    assert result == {str(one.findtext("accountnumber")): one.findtext("amount") for one in root}
    return result


def test_transactions_are_raw_and_end_today_unless_told(simulator: SimulatorProcess) -> None:
    assert rows(simulator) == [
        ("G-1", "1020", "-100000.0"),
        ("G-1", "2800", "100000.0"),
        ("G-2", "6000", "-1200.5"),
        ("G-2", "1020", "1200.5"),
        ("G-3", "1000", "-300.0"),
        ("G-3", "3400", "300.0"),
        ("G-4", "1500", "-1.0E7"),
        ("G-4", "1020", "1.0E7"),
    ]
    assert rows(simulator, to_date="2026-06-16", from_date="2026-06-16") == [
        ("G-5", "1000", "-50.0"),
        ("G-5", "1020", "50.0"),
    ]


def test_wildcards_and_dates(simulator: SimulatorProcess) -> None:
    assert rows(simulator, "1000") == [("G-3", "1000", "-300.0")]
    assert [accno for _, accno, _ in rows(simulator, "15xx")] == ["1500"]
    assert {accno for _, accno, _ in rows(simulator, "10xx")} == {"1000", "1020"}
    assert [reference for reference, _, _ in rows(simulator, "1020", from_date="2025-02-10", to_date="2025-02-10")] == [
        "G-2"
    ]
    assert rows(simulator, "xx") == []


def test_openings_and_closings_are_rows_without_a_voucher(simulator: SimulatorProcess) -> None:
    query = {"from_date": "2025-01-01", "to_date": "2025-12-31"}
    plain = rows(simulator, "1020", **query)
    assert rows(simulator, "1020", **query, include_openings="true")[0][1:] == ("1020", "-100000.0")
    assert rows(simulator, "1020", **query, include_closings="true")[-1][1:] == ("1020", "-98799.5")
    assert len(rows(simulator, "1020", **query, include_openings="true", include_closings="true")) == len(plain) + 2
    first = simulator.get("/charts/1020/transactions", **query, include_openings="true").json()["transaction"][0]
    assert (first["id"], first["entry_id"]) == ("0", "0")


def test_texts_and_department_of_a_voucher(simulator: SimulatorProcess) -> None:
    found = simulator.get("/charts/1500/transactions").json()["transaction"]
    assert (found["module"], found["notes"], found["intnotes"]) == ("gl", "gross", "intern")
    assert "department" not in found
    found = simulator.get("/charts/3400/transactions").json()["transaction"]
    assert (found["department"]["@name"], found["department"]["@role"]) == ("Hüttenshop", "P")


def test_unknown_account_is_empty_or_404_by_a_switch(simulator: SimulatorProcess) -> None:
    assert simulator.get("/charts/9999/transactions").text == '{"@number_of_transaction":"0"}'
    simulator.control("PATCH", "/settings", {"unknown_account": 404})
    try:
        assert simulator.get("/charts/9999/transactions").status_code == 404
        assert simulator.get("/charts/99xx/transactions").status_code == 200
        assert simulator.get("/charts/1021/transactions").status_code == 200, "it exists, and has no postings"
    finally:
        simulator.control("PATCH", "/settings", {"unknown_account": 200})


def test_balances_are_natural_with_four_decimals(simulator: SimulatorProcess) -> None:
    assert saldo(simulator) == {
        "1000": "300.0000",
        "1020": "-9901200.5000",
        "1500": "10000000.0000",
        "2800": "100000.0000",
        "3400": "300.0000",
        "6000": "1200.5000",
    }
    assert saldo(simulator, accno="3400") == {"3400": "300.0000"}
    assert saldo(simulator, accno="1xxx", to="2025-12-31") == {"1000": "300.0000", "1020": "98799.5000"}


def test_balances_of_a_period_with_and_without_openings(simulator: SimulatorProcess) -> None:
    period = {"from": "2025-01-01", "to": "2025-12-31", "accno": "1020"}
    assert saldo(simulator, **period) == {"1020": "98799.5000"}
    assert saldo(simulator, **period, include_openings="false") == {"1020": "-1200.5000"}
    assert saldo(simulator, accno="2800", **{"from": "2025-01-01"}) == {}, "only accounts that moved are listed"


def test_balances_by_department_and_project(simulator: SimulatorProcess) -> None:
    assert saldo(simulator, department="Hüttenshop") == {"1000": "300.0000", "3400": "300.0000"}
    assert saldo(simulator, department="Department 2") == {}
    assert saldo(simulator, project="2501") == {}
    assert simulator.get("/gl/v2/saldo", to="31.12.2025").status_code == 400
    assert simulator.get("/gl/v2/saldo", include_openings="vielleicht").status_code == 400


def test_year_end_voucher_is_in_the_books_and_can_be_left_out(simulator: SimulatorProcess) -> None:
    number = simulator.control("POST", "/year-end", {"closing_date": "2025-12-31"})["id"]
    try:
        assert "3400" in {accno for _, accno, _ in rows(simulator, from_date="2025-12-31", to_date="2025-12-31")}
        assert saldo(simulator, to="2025-12-31")["3400"] == "0.0000"
        assert saldo(simulator, to="2025-12-31", exclude_yearend_bookings="true")["3400"] == "300.0000"
    finally:
        simulator.control("DELETE", f"/documents/{number}")
    assert saldo(simulator, to="2025-12-31")["3400"] == "300.0000"


def test_a_voucher_saved_again_has_new_posting_ids_and_a_deleted_one_none(simulator: SimulatorProcess) -> None:
    voucher = gl("G-9", "2026-02-02", "6500", "1000", "12.30")
    number = simulator.control("POST", "/gl", voucher)["id"]
    before = [row["entry_id"] for row in simulator.control("GET", f"/documents/{number}")["postings"]]
    simulator.control("PUT", f"/documents/{number}", voucher)
    after = [row["entry_id"] for row in simulator.control("GET", f"/documents/{number}")["postings"]]
    assert not set(before) & set(after)
    simulator.control("DELETE", f"/documents/{number}")
    assert rows(simulator, "6500") == []
    with pytest.raises(RuntimeError, match="404"):
        simulator.control("GET", f"/documents/{number}")


def test_books_can_be_off_by_a_rappen(simulator: SimulatorProcess) -> None:
    number = simulator.control("POST", "/gl", gl("G-8", "2026-03-03", "6510", "1000", "5.00"))["id"]
    simulator.control("POST", f"/documents/{number}/unbalance", {"amount": "0.01"})
    assert [amount for _, _, amount in rows(simulator, from_date="2026-03-03", to_date="2026-03-03")] == [
        "-4.99",
        "5.0",
    ]
    simulator.control("DELETE", f"/documents/{number}")


def test_purchases_parts_and_payments_by_the_accountant(simulator: SimulatorProcess) -> None:
    simulator.control("POST", "/parts", {"partnumber": "NEU-1", "description": "Neu", "income_accno": "3400",
                                         "sellprice": "5", "tax_accnos": ["2201"]})  # fmt: skip
    assert "NEU-1" in [one["partnumber"] for one in simulator.get("/parts").json()["part"]]
    number = simulator.control("POST", "/purchases", {
        "invnumber": "E-1", "vendornumber": "L-001", "transdate": "2026-04-01", "currency": "CHF",
        "expenseentries": [{"amount": "100.00", "expense_accno": "6500"}], "taxentries": [], "taxincluded": False,
    })["id"]  # fmt: skip
    payment = {"amount": "100.00", "datepaid": "2026-04-20", "payment_accno": "1020", "memo": "bezahlt"}
    paid = simulator.control("POST", f"/documents/{number}/payments", payment)
    assert (paid["amount"], paid["memo"]) == ("100.00", "bezahlt")
    assert ("E-1", "2000", "100.0") in rows(simulator, "2000")
    simulator.control("DELETE", f"/documents/{number}")


def test_wrong_use_of_the_control_endpoint_is_told(simulator: SimulatorProcess) -> None:
    for method, path, given, text in [
        ("PATCH", "/settings", {"nothing": 1}, "no switch"),
        ("PATCH", "/settings", {"empty_list": "leer"}, "must be one of"),
        ("PATCH", "/settings", {"today": "morgen"}, "400"),
        ("POST", "/chaos", {"fault": "lost"}, "needs class and fault"),
        ("POST", "/chaos", {"class": "read", "fault": "sleepy"}, "fault must be one of"),
        ("POST", "/gl", {"reference": "x"}, "not given"),
        ("DELETE", "/documents/1", None, "not found"),
        ("GET", "/nothing", None, "404"),
    ]:
        with pytest.raises(RuntimeError, match=text):
            simulator.control(method, path, given)
    assert simulator.control("GET", "/settings")["empty_list"] == "null"


def test_the_control_endpoint_wants_the_key(simulator: SimulatorProcess) -> None:
    key, simulator.token = simulator.token, "pat_other"
    try:
        with pytest.raises(RuntimeError, match="403"):
            simulator.control("GET", "/settings")
    finally:
        simulator.token = key


def test_a_long_read_keeps_its_view_while_others_post(simulator: SimulatorProcess) -> None:
    lines = [{"accno": "6510", "debit": "1.00"}, {"accno": "1000", "credit": "1.00"}] * 10_000
    day = "2023-01-01"
    number = simulator.control("POST", "/gl", {"reference": "G-7", "transdate": day, "lines": lines})["id"]
    query = {"from_date": day, "to_date": "2023-12-31"}
    headers = {"Authorization": f"Bearer {simulator.token}"}
    address = f"{simulator.base}/charts/x/transactions"
    with requests.get(address, params=query, headers=headers, stream=True, timeout=30) as answer:
        pieces = answer.iter_content(1 << 16)
        body = next(pieces)
        posted = simulator.control("POST", "/gl", gl("G-6", "2023-06-01", "6500", "1000", "1.00"))["id"]
        simulator.control("DELETE", f"/documents/{number}")
        body += b"".join(pieces)
    root = xml_root(body)
    assert root.get("number_of_transaction") == str(len(root)) == "20000"
    assert [reference for reference, _, _ in rows(simulator, **query)] == ["G-6", "G-6"]
    simulator.control("DELETE", f"/documents/{posted}")
