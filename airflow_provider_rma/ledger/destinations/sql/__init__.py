"""Warehouses with tables and transactions: DuckDB, PostgreSQL, and any other database.

`base` replaces a window in one transaction; each database adds a module.
"""
