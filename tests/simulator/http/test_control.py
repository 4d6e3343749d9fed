"""The control endpoint: the accountant's work, and wrong use."""

from __future__ import annotations

import pytest
import requests

from tests.support.documents import gl_voucher
from tests.support.simulator import SimulatorProcess, xml_root


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


def test_a_voucher_saved_again_has_new_posting_ids_and_a_deleted_one_none(simulator: SimulatorProcess) -> None:
    voucher = gl_voucher("G-9", "2026-02-02", "6500", "1000", "12.30")
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
    number = simulator.control("POST", "/gl", gl_voucher("G-8", "2026-03-03", "6510", "1000", "5.00"))["id"]
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


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/gl", b"{"),
        ("POST", "/gl", b'{"reference": "\xff"}'),
        ("POST", "/gl", b"[1, 2]"),
        ("POST", "/gl", b"5"),
        ("POST", "/gl", b"[" * 100_000),
        ("POST", "/customers", b'{"customernumber": "K-7", "name": "x", "terms": Infinity}'),
        ("POST", "/customers", b'{"customernumber": "K-7", "name": "x", "terms": ' + b"9" * 5000 + b"}"),
        ("PATCH", "/settings", b"[]x"),
        ("PATCH", "/settings", b'{"today": 5}'),
        ("PATCH", "/settings", b"[1]"),
        ("POST", "/chaos", b'{"class": "read", "fault": "lost", "count": "many"}'),
        ("POST", "/chaos", b'{"class": "read", "fault": "lost", "probability": 7}'),
        ("POST", "/chaos", b'{"class": "read", "fault": "slow_commit", "seconds": 1e400}'),
        ("POST", "/chaos", b'{"class": 5, "fault": "lost"}'),
        ("POST", "/chaos", b'{"class": "read", "fault": "error", "status": 99}'),
        ("DELETE", "/documents/99999999999999999999999999", b""),
        ("POST", "/gl", b'"' + b"x" * (5 * 1024 * 1024) + b'"'),
        ("POST", "/chaos", b'{"\\ud83d": 1}'),
        ("POST", "/year-end", b'{"\\ud83d": 1}'),
        ("POST", "/customers", b'{"customernumber": "K-7", "name": "\\ud83d"}'),
    ],
    ids=range(20),
)
def test_a_malformed_or_oversized_control_request_is_told(
    simulator: SimulatorProcess, method: str, path: str, body: bytes
) -> None:
    headers = {"Authorization": f"Bearer {simulator.token}"}
    response = requests.request(method, f"{simulator.url}/__control__{path}", data=body, headers=headers, timeout=30)
    assert response.status_code == 400
    assert response.json()["error"]
    assert simulator.control("GET", "/chaos") == {"rules": []}


def test_the_control_endpoint_wants_the_key(simulator: SimulatorProcess) -> None:
    key, simulator.token = simulator.token, "pat_other"
    try:
        with pytest.raises(RuntimeError, match="403"):
            simulator.control("GET", "/settings")
    finally:
        simulator.token = key
