"""Books that are small enough to work out by hand what each view must say of them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from airflow_provider_rma.ledger.windows import Window
from tests.support.ledger.warehouses import Warehouse
from tests.support.ledger.window_fixtures import (
    AUGUST,
    JULY,
    SEPTEMBER,
    TENANT,
    balances,
    load_window,
    posting,
    table,
)

NOVEMBER = Window.of(date(2026, 11, 1))
OCTOBER, DECEMBER, JANUARY = (Window.of(date(year, month, 1)) for year, month in ((2025, 10), (2025, 12), (2026, 1)))
LATE_NOVEMBER = Window.of(date(2025, 11, 1))


def _stated(*rows: tuple[str, str | None, str | None], window: Window, signs: dict[str, int | None]) -> pa.Table:
    return pa.concat_tables(balances(row, window=window, sign=signs.get(row[0])) for row in rows)


def fill_company(warehouse: Warehouse) -> None:
    """Bank 1020 opens at 1000 (raw -1000), loan 2100 at 1000 (raw 1000) and never moves, so its sign is unknown and is
    that of 2000, which moves.

    July: sale 300 on credit (1100/3200). August: the customer pays 300, a supplier invoices 50 (6500/2000). September
    is empty. November, after a gap: the supplier is paid 50.
    """
    signs: dict[str, int | None] = {"1020": -1, "1100": -1, "2000": 1}
    july = _stated(("1020", "1000", "1000"), ("1100", None, "300"), ("2100", "1000", "1000"), window=JULY, signs={})
    august = _stated(("1020", "1000", "1300"), ("1100", "300", "0"), ("2000", None, "50"), window=AUGUST, signs=signs)
    november = _stated(
        ("1020", "1300", "1250"), ("2000", "50", "0"), ("2100", "1000", "1000"), window=NOVEMBER, signs=signs
    )
    with warehouse.open() as destination:
        load_window(
            destination,
            [
                posting("1100", -300, module="ar", transdate=date(2026, 7, 10), entry_id=1),
                posting("3200", 300, module="ar", transdate=date(2026, 7, 10), entry_id=2),
            ],
            window=JULY,
            stated=july,
        )
        load_window(
            destination,
            [
                posting("1020", -100, module="ar", transdate=date(2026, 8, 20), entry_id=7, reference="B"),
                posting("1020", -200, module="ar", transdate=date(2026, 8, 20), entry_id=9, reference="A"),
                posting("1100", 300, module="ar", transdate=date(2026, 8, 20), entry_id=8),
                posting("6500", -50, module="ap", transdate=date(2026, 8, 25), entry_id=10),
                posting("2000", 50, module="ap", transdate=date(2026, 8, 25), entry_id=11),
            ],
            stated=august,
            verdict="tolerated",
        )
        load_window(destination, [], window=SEPTEMBER)
        load_window(
            destination,
            [posting("1020", 50, window=NOVEMBER, entry_id=12), posting("2000", -50, window=NOVEMBER, entry_id=13)],
            window=NOVEMBER,
            stated=november,
            verdict="unproven",
        )
        destination.save_accounts(
            TENANT,
            table(
                "accounts",
                [
                    {
                        "tenant": TENANT,
                        "accno": "1020",
                        "description": "Bank",
                        "kind": "balance_sheet",
                        "kind_source": "first_digit",
                        "load_id": "L1",
                    }
                ],
            ),
            "L1",
        )


def account_row(accno: str, kind: str, source: str = "first_digit") -> dict[str, Any]:
    return {
        "tenant": TENANT,
        "accno": accno,
        "description": f"Account {accno}",
        "kind": kind,
        "kind_source": source,
        "load_id": "L1",
    }


def fill_year_end(warehouse: Warehouse) -> None:
    """Loaded are October 2025 to January 2026. Before October, 500 of profit were made, which are in the bank (1020).

    October: sale 300 (1020/3200). November: costs 80 (6500/1020). December: sale 100, on the 31st an accrual of 20
    (6500/2300), and the closing, which carries 800 into 2990: 900 of 3200, of which 500 are from before October, less
    100 of 6500. January: sale 10, and 40 on 7910, which a mapping calls an account of the balance sheet.
    """
    with warehouse.open() as destination:
        load_window(
            destination,
            journal_entry(1, date(2025, 10, 5), ("1020", -300), ("3200", 300)),
            window=OCTOBER,
            stated=balances(("1020", "500", "800"), window=OCTOBER, sign=-1),
        )
        load_window(destination, journal_entry(2, date(2025, 11, 5), ("6500", -80), ("1020", 80)), window=LATE_NOVEMBER)
        load_window(
            destination,
            [
                *journal_entry(3, date(2025, 12, 5), ("1020", -100), ("3200", 100)),
                *journal_entry(4, date(2025, 12, 31), ("6500", -20), ("2300", 20), reference="ACC"),
                *journal_entry(
                    5, date(2025, 12, 31), ("3200", -900), ("6500", 100), ("2990", 800), reference="C-5", source="C-5"
                ),
            ],
            window=DECEMBER,
        )
        load_window(
            destination,
            [
                *journal_entry(6, date(2026, 1, 5), ("1020", -10), ("3200", 10)),
                *journal_entry(7, date(2026, 1, 6), ("7910", -40), ("1020", 40)),
            ],
            window=JANUARY,
            verdict="tolerated",
            stated=balances(("7910", None, "40"), window=JANUARY, sign=-1),
        )
        accounts = [
            *(account_row(accno, "balance_sheet") for accno in ("1020", "2300", "2990")),
            *(account_row(accno, "income_statement") for accno in ("3200", "6500")),
            account_row("7910", "balance_sheet", "mapping"),
        ]
        destination.save_accounts(TENANT, table("accounts", accounts), "L1")


def journal_entry(number: int, day: date, *lines: tuple[str, int], **values: Any) -> list[dict[str, Any]]:
    return [
        posting(accno, amount, voucher_id=number, transdate=day, entry_id=10 * number + place, **values)
        for place, (accno, amount) in enumerate(lines)
    ]
