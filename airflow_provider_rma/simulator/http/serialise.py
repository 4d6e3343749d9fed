"""From the books to the wire: every entity with the elements, their order and their texts as documented.

``None`` leaves an element out; texts that are empty in the books are written as empty elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_rma.simulator.http.wire import Listing, Rendered, Template, Tree, slot
from airflow_provider_rma.simulator.values import double, four_decimals, midnight, moment

Values = Mapping[str, Any]

_CUSTOMER_ORDER = (
    "customernumber", "name", "created", "ended", "contactId", "salutation", "firstname", "lastname",
    "typeofcontact", "gender", "addressId", "address1", "address2", "zipcode", "city", "state", "country", "phone",
    "fax", "mobile", "email", "cc", "bcc", "terms", "notes", "taxnumber", "taxfree", "remittancevoucher",
    "arap_accno", "payment_accno", "bank_name", "bank_address1", "bank_address2", "bank_zipcode", "bank_city",
    "bank_state", "bank_country", "bank_iban", "bank_bic", "language_code", "tax_accnos",
)  # fmt: skip
_HEADER_TEXTS = ("description", "notes", "intnotes")


def customer_tree(customer: Values) -> Tree:
    """A customer; ids of contact and address are always 0, as in the documented samples."""
    tree: Tree = {"id": str(customer["id"])}
    for name in _CUSTOMER_ORDER:
        tree[name] = _customer_value(name, customer.get(name))
    return tree


def _customer_value(name: str, value: Any) -> str | None:
    if name in ("contactId", "addressId"):
        return "0"
    if name in ("created", "ended"):
        return _date_or_time(value) if value else None
    if name in ("taxfree", "remittancevoucher"):
        return boolean(value)
    if name == "tax_accnos":
        return " ".join(value or [])
    if name == "terms":
        return None if value is None else str(value)
    return str(value or "")


def invoice_tree(invoice: Values, customer: Values | None) -> Tree:
    """An invoice with its customer and its lines (article method) or entries (booking method)."""
    tree: Tree = {
        "id": str(invoice["id"]),
        "invnumber": invoice["invnumber"],
        "ordnumber": text(invoice, "ordnumber"),
        "status": invoice["status"],
        "currency": invoice["currency"],
        "ar_accno": text(invoice, "ar_accno"),
        "payment_accno": text(invoice, "payment_accno"),
        "transdate": midnight(invoice["transdate"]),
        "duedate": midnight(invoice["duedate"]) if invoice.get("duedate") else None,
        **{name: text(invoice, name) for name in _HEADER_TEXTS},
        "taxincluded": boolean(invoice["taxincluded"]),
        "department": text(invoice, "department") or None,
        "dcn": text(invoice, "dcn"),
        "language_code": text(invoice, "language_code"),
        "amount": double(invoice["amount"]),
        "netamount": double(invoice["netamount"]),
        "paid": double(invoice["paid"]),
        "customer": customer_tree(customer) if customer else None,
    }
    if invoice["article"]:
        tree["parts"] = Listing("part", [invoice_part_tree(line) for line in invoice["lines"]])
    else:
        tree["incomeentries"] = Listing("incomeentry", map(_income_tree, invoice.get("incomeentries") or []))
        tree["taxentries"] = Listing("taxentry", map(_tax_tree, invoice.get("taxentries") or []))
    return tree


def _income_tree(entry: Values) -> Tree:
    return {
        "amount": double(entry["amount"]),
        "income_accno": entry["income_accno"],
        "description": text(entry, "description"),
    }


def _tax_tree(entry: Values) -> Tree:
    return {"amount": double(entry["amount"]), "tax_accno": entry["tax_accno"]}


def invoice_part_tree(line: Values) -> Tree:
    """A line of an invoice: the price as it was entered, the account as it was posted."""
    return {
        "income_accno": text(line, "income_accno"),
        "expense_accno": text(line, "expense_accno") or "0",
        "partnumber": line["partnumber"],
        "description": text(line, "description"),
        "unit": text(line, "unit"),
        "quantity": double(line["quantity"]),
        "sellprice": double(line["sellprice"]),
        "discount": double(line.get("discount_percent") or 0),
        "itemnote": text(line, "itemnote"),
        "serialnumber": text(line, "serialnumber") or None,
        "projectnumber": text(line, "projectnumber") or None,
        "price_update": _date_or_time(line.get("price_update")),
    }


def part_tree(part: Values) -> Tree:
    """An article of the master data."""
    return {
        "income_accno": text(part, "income_accno"),
        "expense_accno": text(part, "expense_accno"),
        "partnumber": part["partnumber"],
        "description": text(part, "description"),
        "unit": text(part, "unit"),
        "quantity": double(part.get("quantity") or 1),
        "sellprice": double(part.get("sellprice") or 0),
        "discount": double(part.get("discount") or 0),
        "itemnote": text(part, "itemnote"),
        "tax_accnos": " ".join(part.get("tax_accnos") or []),
        "price_update": _date_or_time(part.get("price_update")),
    }


def chart_tree(account: Values) -> Tree:
    """An account. What ``taxes`` holds is not known; it is empty, as in the documented sample."""
    return {
        "@id": str(account["id"]),
        "@accno": account["accno"],
        "@description": account["description"],
        "@link": account["link"],
        "@allow_gl": boolean(account["allow_gl"]),
        "@is_active": boolean(account.get("is_active", True)),
        "taxes": Listing("tax", []),
    }


def transactions(postings: Iterable[Values]) -> Iterator[Rendered]:
    """Posting lines, one template for each department."""
    templates: dict[int, Template] = {}
    for posting in postings:
        department = posting["department"]
        key = department["id"] if department else 0
        template = templates.get(key)
        if template is None:
            template = templates[key] = Template(_transaction_tree([slot(number) for number in range(13)], department))
        accno = posting["accno"]
        yield Rendered(
            template,
            (
                str(posting["id"]),
                accno,
                midnight(posting["transdate"]),
                posting["reference"] or "",
                posting["description"] or "",
                double(posting["amount"]),
                posting["module"],
                posting["source"] or "",
                str(posting["entry_id"]),
                posting["memo"] or "",
                posting["notes"] or "",
                posting["intnotes"] or "",
                accno,
            ),
        )


def _transaction_tree(texts: Sequence[str], department: Values | None) -> Tree:
    """A posting line; the account inside is a stub with the number only, as documented."""
    id_, accno, transdate, reference, description, amount, module, source, entry_id, memo, notes, intnotes, last = texts
    return {
        "id": id_,
        "chart": {
            "@id": "0",
            "@accno": accno,
            "@link": "",
            "@allow_gl": "false",
            "@is_active": "true",
            "taxes": Listing("tax", []),
        },
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
        "department": department_tree(department) if department else None,
        "accno": last,
    }


def balance_tree(row: Values) -> Tree:
    """A row of the trial balance: four decimals, natural sign."""
    return {
        "accountnumber": row["accno"],
        "accountname": row["description"],
        "amount": four_decimals(row["amount"]),
    }


def department_tree(department: Values) -> Tree:
    """A department: attributes only."""
    return {"@id": str(department["id"]), "@name": department["name"], "@role": department["role"]}


def project_tree(project: Values) -> Tree:
    """A project: attributes only."""
    return {
        "@id": str(project["id"]),
        "@number": project["number"],
        "@description": project.get("description") or "",
    }


def boolean(value: Any) -> str:
    """``true`` or ``false``."""
    return "true" if value else "false"


def text(values: Values, name: str) -> str:
    """A text field, empty if it is not set."""
    return str(values.get(name) or "")


def _date_or_time(value: Any) -> str:
    given = str(value or "")
    if not given:
        return ""
    return midnight(given) if len(given) == 10 else moment(given)
