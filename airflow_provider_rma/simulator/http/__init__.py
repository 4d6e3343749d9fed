"""The documented HTTP interface in front of the books.

`app` receives requests, `routing` finds their operation, `operations` has a module for each resource. `parse`,
`serialise` and `wire` read and write values and bodies. `control` and `page` are beside the interface.
"""
