"""A local Run my Accounts: a double-entry ledger on SQLite behind the documented HTTP interface.

It imports nothing of the provider itself, so that a wrong reading of the API cannot cancel out between the
client and the server it is tested against.
"""
