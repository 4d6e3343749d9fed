"""One module per kind of document: how it is read, identified, looked up, compared and sent.

The pipeline in `billing` is the same for all of them.
"""
