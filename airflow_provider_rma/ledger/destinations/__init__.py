"""Where ledger windows go: one interface (`base`) for every kind of warehouse, found by its address (`open`).

`sql` has the databases, `parquet` the files on any file system, `views` what people read; `history` decides which
postings a replacement supersedes.
"""
