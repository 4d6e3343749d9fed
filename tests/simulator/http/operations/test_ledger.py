"""Account transactions and trial balance over HTTP, with all their parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
import requests

from airflow_provider_rma.simulator import demo_company
from airflow_provider_rma.simulator.books.books import Books
from tests.support.documents import gl_voucher
from tests.support.simulator import SimulatorProcess, xml_root

TODAY = "2026-06-15"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("ledger") / "books.db") as process:
        process.control("PATCH", "/settings", {"today": TODAY})
        for voucher in [
            gl_voucher("G-1", "2024-12-01", "1020", "2800", "100000.00", description="Einlage"),
            gl_voucher("G-2", "2025-02-10", "6000", "1020", "1200.50"),
            gl_voucher("G-3", "2025-03-31", "1000", "3400", "300.00", department="Hüttenshop"),
            gl_voucher("G-4", "2026-01-05", "1500", "1020", "10000000.00", notes="gross", intnotes="intern"),
            gl_voucher("G-5", "2026-06-16", "1000", "1020", "50.00"),
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
        posted = simulator.control("POST", "/gl", gl_voucher("G-6", "2023-06-01", "6500", "1000", "1.00"))["id"]
        simulator.control("DELETE", f"/documents/{number}")
        body += b"".join(pieces)
    root = xml_root(body)
    assert root.get("number_of_transaction") == str(len(root)) == "20000"
    assert [reference for reference, _, _ in rows(simulator, **query)] == ["G-6", "G-6"]
    simulator.control("DELETE", f"/documents/{posted}")


def test_the_ledger_is_streamed_and_never_held(tmp_path: Path) -> None:
    """Four times as many postings take no more memory: the response is made as it is sent."""
    path = tmp_path / "books.db"
    # Large enough that a page cache of 2 MB and the noise of an allocator do not matter.
    lines = [{"accno": "6500", "debit": "1.25", "memo": "M" * 40}, {"accno": "1020", "credit": "1.25"}] * 1000
    with closing(Books.create(path, demo_company.build_master())) as books, books.in_one_transaction():
        for day in range(1, 29):
            books.post_gl({"reference": f"L-{day}", "transdate": date(2026, 2, day), "lines": lines})
    with SimulatorProcess(path) as simulator:
        quarter = received(simulator, "2026-02-07")
        before = memory(simulator.pid)
        whole = received(simulator, "2026-02-28")
        assert whole > 3.9 * quarter
        assert memory(simulator.pid) - before < (whole - quarter) / 4


def received(simulator: SimulatorProcess, last: str) -> int:
    """Bytes of the postings of February 2026 until a day."""
    headers = {"Authorization": f"Bearer {simulator.token}", "Accept": "application/xml"}
    query = {"from_date": "2026-02-01", "to_date": last}
    address = f"{simulator.base}/charts/x/transactions"
    with requests.get(address, params=query, headers=headers, stream=True, timeout=60) as answer:
        return sum(map(len, answer.iter_content(1 << 16)))


def memory(pid: int) -> int:
    """The largest memory of a process so far, in bytes; skips the test where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        pytest.skip("the system does not tell the memory of a process")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return 1024 * int(found[1])


def test_balances_of_the_first_version_stand_by_position(simulator: SimulatorProcess) -> None:
    period = {"from": "1900-01-01", "to": "2999-12-31"}
    second = simulator.get("/gl/v2/saldo", **period).json()["row"]
    first = simulator.get("/gl/saldo", **period, exclude_yearend_bookings="False").json()["row"]
    assert [each["column"] for each in first] == [list(each.values()) for each in second]
    assert len(first) > 1
    table = xml_root(simulator.get("/gl/saldo", form="xml", **period).content)
    assert table.tag == "table"
    assert [[column.text for column in row] for row in table] == [each["column"] for each in first]
    assert {column.tag for row in table for column in row} == {"column"}
