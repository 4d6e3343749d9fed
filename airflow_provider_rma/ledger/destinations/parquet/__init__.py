"""A warehouse of Parquet files with one manifest per window.

`destination` replaces windows, `mark` keeps files of others out, `files` writes, `manifest` names the files that count,
`readers` are for users.
"""
