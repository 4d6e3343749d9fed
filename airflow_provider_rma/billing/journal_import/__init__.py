"""`rma journal import`: record in the journal what a script has booked before.

`run` matches the books with the script's source, `booked_index` and `similarity` help it.
"""
