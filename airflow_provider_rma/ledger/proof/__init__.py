"""The proof of a window: does the warehouse hold what the books hold?

`balances` and `accounts` read what the service states, `sign_convention` learns in which sign, `prove` compares it with
the postings, `verdicts` has what a proof can come to.
"""
