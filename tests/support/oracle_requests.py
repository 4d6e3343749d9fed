"""Documents and payments of the posting oracle as a client would send them."""

from __future__ import annotations

from typing import Any

HEADER_TEXTS = ("invnumber", "customernumber", "currency", "description", "notes", "intnotes", "ordnumber")


def wire_document(given: dict[str, Any]) -> dict[str, Any]:
    """Write a case's document as a client would."""
    document = {name: str(given[name]) if given[name] is not None else "" for name in HEADER_TEXTS if name in given}
    document["transdate"] = given["transdate"] + "T00:00:00"
    document["duedate"] = given["duedate"] + "T00:00:00" if given["duedate"] else ""
    document["taxincluded"] = "true" if given["taxincluded"] else "false"
    document["department"] = given.get("department") or ""
    if "vendornumber" in given:
        document["vendor"] = {"vendornumber": given["vendornumber"], "name": "Lieferant"}
    if "lines" in given:
        parts = [
            {"income_accno": "0", "expense_accno": "0", "discount": line["discount_percent"]}
            | {name: line[name] for name in ("partnumber", "quantity", "sellprice", "description") if name in line}
            for line in given["lines"]
        ]
        return document | {"parts": {"part": parts[0] if len(parts) == 1 else parts}}
    kind = "income" if "incomeentries" in given else "expense"
    return document | {
        f"{kind}entries": {f"{kind}entry": given[f"{kind}entries"]},
        "taxentries": {"taxentry": given["taxentries"]},
    }


def wire_payment(payment: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Write a case's payment as a client would; without a rate of its own it has that of its document."""
    sent = {name: payment[name] for name in ("payment_accno", "source", "memo") if payment.get(name)}
    return sent | {
        "datepaid": payment["datepaid"] + "T10:39:17.945+01:00",
        "amount_paid": payment["amount"],
        "currency": document["currency"],
        "exchangerate": payment.get("exchangerate") or document.get("exchangerate") or "1.0",
    }
