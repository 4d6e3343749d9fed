"""The documented HTTP interface in front of the books.

`app` routes, `operations` lists the endpoints, `parse` reads bodies, `serialise` and `wire` write them.
"""
