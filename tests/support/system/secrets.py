"""What must not be seen outside the files of a tenant, planted wherever a record has room for it.

In a module of its own: Airflow keeps the source of the file in which a DAG is written.
"""

from __future__ import annotations

from typing import Any

TOKEN = "pat_kanarienvogeltoken"

CANARIES = {
    "name": "Kanarienvogel Flaumfeder",
    "first name": "Zeisigine",
    "street": "Volierenstieg 77",
    "town": "Piepmatzhausen",
    "IBAN": "CH5604835012345678009",
    "e-mail": "flaumfeder@kanari.example",
    "phone": "+41 00 555 77 11",
    "note": "zwitschert nachts",
    "internal note": "schuldet noch Koerner",
    "title": "Federkleid 3. Mahnung",
    "line": "Stimmbandpflege",
    "article": "VOGEL-4711",
}


def customer(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "customernumber": number,
        "name": CANARIES["name"],
        "firstname": CANARIES["first name"],
        "lastname": "Flaumfeder",
        "address1": CANARIES["street"],
        "city": CANARIES["town"],
        "bank_iban": CANARIES["IBAN"],
        "email": CANARIES["e-mail"],
        "phone": CANARIES["phone"],
        "notes": CANARIES["note"],
    } | fields


def invoice(number: str, **fields: Any) -> dict[str, Any]:
    return {
        "invnumber": number,
        "customernumber": "VOGEL-1",
        "transdate": "2026-09-15",
        "description": CANARIES["title"],
        "notes": CANARIES["note"],
        "intnotes": CANARIES["internal note"],
        "incomeentries": [{"amount": "100.00", "income_accno": "3400", "description": CANARIES["line"]}],
    } | fields


def article(**fields: Any) -> list[dict[str, Any]]:
    return [{"partnumber": CANARIES["article"], "quantity": "1", "sellprice": "99"} | fields]


RECORDS = [
    invoice("CANARY-1"),
    invoice("CANARY-2"),
    # RMA refuses it, and quotes the article.
    invoice("CANARY-3", incomeentries=None, parts=article()),
    # Refused here: an unknown field, a text that is too long, a control character, a number that is none.
    invoice("CANARY-4", nickname=CANARIES["name"]),
    invoice("CANARY-5", incomeentries=None, parts=article(unit=CANARIES["line"])),
    invoice("CANARY-6", notes=CANARIES["note"] + "\x01"),
    invoice("CANARY-7", incomeentries=[{"amount": CANARIES["phone"], "income_accno": "3400"}]),
    # In the books already, otherwise than meant.
    invoice("CANARY-8"),
    invoice("CANARY-9"),
]
