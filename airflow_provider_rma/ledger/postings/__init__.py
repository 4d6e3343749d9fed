"""Postings of a month on their way from the service to Arrow batches.

`slices` plans the requests, `stream` sends them and checks counts, `decode` reads the bodies, `batches` makes rows.
"""
