"""The proof of a month: what the postings say equals what the service states.

`prove` decides the verdict; `accounts`, `balances` and `sign_convention` supply what it compares.
"""
