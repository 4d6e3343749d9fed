"""The chain of files in which each run leaves its evidence.

`model` has facts, links and defects; `writer` appends a link, `chain` verifies them.
"""
