"""A double-entry ledger on SQLite: documents, vouchers, payments, balances.

`books` is the one entry; `storage` holds the tables, the other modules each post one kind of document.
"""
