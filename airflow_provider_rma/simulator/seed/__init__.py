"""Books of a plausible company, written through the simulator's own ledger.

`run` draws the company, `command` is `rma-simulator seed`; the other modules each draw one kind of content.
"""
