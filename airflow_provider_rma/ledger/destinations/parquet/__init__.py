"""A warehouse of Parquet files with one manifest per window.

`destination` replaces windows, `files` writes, `manifest` names the files that count, `readers` are for users.
"""
