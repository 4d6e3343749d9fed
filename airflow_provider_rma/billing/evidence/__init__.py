"""The chain of files in which each run leaves its evidence.

`writer` appends a link, `chain` verifies them.
"""
