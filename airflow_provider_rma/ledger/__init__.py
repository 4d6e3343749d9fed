"""The ledger in a warehouse: windows of whole months, streamed, proven against the service's own balances, replaced."""
