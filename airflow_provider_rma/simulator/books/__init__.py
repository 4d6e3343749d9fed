"""A double-entry ledger on SQLite: documents, vouchers, payments, balances.

`books` is the one entry; `posting`, `articles`, `payments` and `vouchers` compute postings, `storage` keeps them, and
`rules` holds what the interface refuses before it posts.
"""
