"""The column reference of docs/warehouse.md, made from the declaration of the tables.

``python -m tests.support.ledger.columns_page`` writes it into the page; a test compares the two.
"""

from __future__ import annotations

from airflow_provider_rma.ledger.contract import CONTRACT_VERSION, TABLES, TYPES
from tests.support.reference import ROOT

PAGE = ROOT / "docs" / "warehouse.md"
BEGIN, END = "<!-- columns: begin -->", "<!-- columns: end -->"


def reference() -> str:
    """The generated part of the page."""
    parts = [f"The contract described here is version {CONTRACT_VERSION}."]
    for table in TABLES.values():
        rows = [
            f"| `{column.name}` | {TYPES[column.type].arrow} | {'yes' if column.nullable else 'no'} | {column.note} |"
            for column in table.columns
        ]
        head = ["| Column | Type | May be null | Meaning |", "|---|---|---|---|"]
        parts.append("\n".join([f"### {table.name}\n", table.grain + "\n", *head, *rows]))
    return "\n\n".join(parts)


def on_page() -> str:
    """What the page has now."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    """Renew the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{reference()}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    write()
