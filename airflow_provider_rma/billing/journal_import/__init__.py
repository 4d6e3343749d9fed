"""`rma journal import`: record in the journal what a script has booked before.

`run` reads source and books, `matching` decides about each invoice with the help of `booked_index` and `similarity`,
`model` is the report.
"""
