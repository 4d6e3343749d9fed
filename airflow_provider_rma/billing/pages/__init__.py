"""Pages and summaries for a person: a plan to approve, a run to read.

`statistics` gathers, `wording` holds the texts, `html` and `markdown` write.
"""
