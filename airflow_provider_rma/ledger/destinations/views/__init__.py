"""Views for people who read the warehouse, one file of SQL each; `load` reads them.

Each file is the query of a view over the tables of the contract and over earlier views. DuckDB and PostgreSQL both
understand it, so the same text serves a DuckDB file, views over Parquet files, and a PostgreSQL schema; there are no
placeholders. The first line says what the view shows.

Two notions they share:

- A **chain** is a run of months loaded without a gap. Balances run on within a chain; a new chain starts from what the
  service states, because what happened in the gap is not known.
- **Natural sign**: liabilities, equity and income (accounts 2… and 3…) count credit as positive, all other accounts
  debit. Classes 7 to 9 hold income and expenses side by side; they are shown debit-positive. ``*_raw`` columns keep the
  sign of the service's postings: debit negative, credit positive.
"""
