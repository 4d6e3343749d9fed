"""Records from lists, files and queries: one module per format, nesting of flat rows, and what columns may be there.

A record is a mapping with RMA's own field names. Flat rows (CSV, SQL, Parquet) name nested fields with ``__``:
``parts__quantity`` is the quantity of a line, ``customer__name`` the name in an embedded customer. Rows that follow
each other with the same number belong to one record and contribute one line each.
"""
