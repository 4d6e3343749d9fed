"""Nightly billing: what the ERP has invoiced goes into the books of Run my Accounts.

The ERP of this example is a SQLite database (`scripts/demo_erp.py` creates it). For another one, change the two queries
and the style of their parameters: `:first_day` is SQLite's, PostgreSQL takes `%(first_day)s`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, Param
from airflow.timetables.trigger import CronTriggerTimetable  # in airflow.sdk from Airflow 3.2 on

from airflow_provider_rma.transfers.sql_to_rma import (
    SqlToRunMyAccountsCustomersOperator,
    SqlToRunMyAccountsInvoicesOperator,
)

CUSTOMERS = """
SELECT
    c.number AS customernumber,
    COALESCE(c.company, c.first_name || ' ' || c.last_name) AS name,
    CASE WHEN c.company IS NULL THEN 'person' ELSE 'company' END AS typeofcontact,
    c.salutation, c.first_name AS firstname, c.last_name AS lastname,
    c.street AS address1, c.address_extra AS address2, c.postcode AS zipcode, c.town AS city, c.country,
    c.email, c.phone, c.payment_days AS terms, c.iban AS bank_iban
FROM customers c
WHERE c.id IN (
    SELECT customer_id FROM invoices WHERE status = 'final' AND invoice_date BETWEEN :first_day AND :last_day
)
ORDER BY c.number
"""

# One row per line. An invoice has either lines (articles) or bookings (accounts and tax amounts), so the joins do not
# multiply. `expected_amount` is the ERP's own total: it is compared with what RMA books.
INVOICES = """
SELECT
    i.number AS invnumber, c.number AS customernumber, i.invoice_date AS transdate, i.due_date AS duedate,
    i.title AS description, i.customer_reference AS ordnumber, d.name AS department,
    i.prices_include_vat AS taxincluded, i.total AS expected_amount,
    a.sku AS parts__partnumber, l.text AS parts__description, l.quantity AS parts__quantity,
    l.unit_price AS parts__sellprice, l.discount_percent AS parts__discount,
    CASE b.kind WHEN 'income' THEN b.account END AS incomeentries__income_accno,
    CASE b.kind WHEN 'income' THEN b.amount END AS incomeentries__amount,
    CASE b.kind WHEN 'income' THEN b.text END AS incomeentries__description,
    CASE b.kind WHEN 'vat' THEN b.account END AS taxentries__tax_accno,
    CASE b.kind WHEN 'vat' THEN b.amount END AS taxentries__amount
FROM invoices i
JOIN customers c ON c.id = i.customer_id
LEFT JOIN departments d ON d.id = i.department_id
LEFT JOIN invoice_lines l ON l.invoice_id = i.id
LEFT JOIN articles a ON a.id = l.article_id
LEFT JOIN bookings b ON b.invoice_id = i.id
WHERE i.status = 'final' AND i.invoice_date BETWEEN :first_day AND :last_day
ORDER BY i.number, l.position, b.position
"""


def days_before(moment: datetime, days: int) -> str:
    """The calendar day in Zurich so many days before a moment."""
    return (moment.astimezone(ZoneInfo("Europe/Zurich")).date() - timedelta(days=days)).isoformat()


# Counted from `run_after`, which every run has; a run started by hand has no logical date. Five weeks, although one day
# would do: what is in the books already stays unchanged, so missed nights and late invoices heal by themselves.
WINDOW = {
    "first_day": "{{ params['from'] or days_before(dag_run.run_after, 35) }}",
    "last_day": "{{ params['to'] or days_before(dag_run.run_after, 1) }}",
}

with DAG(
    dag_id="nightly_billing",
    schedule=CronTriggerTimetable("30 2 * * *", timezone="Europe/Zurich"),
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Zurich")),
    catchup=False,
    max_active_runs=1,
    params={
        "from": Param(None, type=["null", "string"], format="date", description="First invoice date, inclusive."),
        "to": Param(None, type=["null", "string"], format="date", description="Last invoice date, inclusive."),
    },
    user_defined_macros={"days_before": days_before},
    # After a lost reply RMA may still book the document: for `total_deadline` (120 s) and `settle_time` (300 s). Only a
    # retry after that can tell "not booked" for certain.
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
    tags=["billing", "rma"],
    doc_md=__doc__,
):
    customers = SqlToRunMyAccountsCustomersOperator(
        task_id="customers",
        sql_conn_id="erp_default",
        sql=CUSTOMERS,
        parameters=WINDOW,
        # A customer who is refused (`invalid`, `rejected`) must not keep the others' invoices from going out. It is not
        # lost from sight: its own invoices become `invalid`, name the cause, and turn the run red in the next task.
        fail_on=["conflict", "unknown", "held"],
    )
    SqlToRunMyAccountsInvoicesOperator(
        task_id="invoices",
        sql_conn_id="erp_default",
        sql=INVOICES,
        parameters=WINDOW,
        customer_outcomes=customers.output["outcome_path"],
        # A brake for the night on which the query goes wrong: more than this is not a plausible run.
        max_count=1_000,
        max_amount=500_000,
    )
