"""The page that a ledger run leaves for a person.

`run` puts it together, `charts` draws.
"""
