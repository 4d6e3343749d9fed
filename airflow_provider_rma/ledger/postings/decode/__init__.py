"""From the bytes of a response to columns of postings, fast and with every check.

`reader` chooses between `xml_path` and `json_path`; `xml_recogniser` accepts only what the fast path may read.
"""
