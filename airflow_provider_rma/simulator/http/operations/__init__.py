"""The operations of the documented interface, one module for each resource.

A module holds the operations of its resource, how their bodies are read and how their responses are built, and lists
them in ``OPERATIONS``. A further resource is a further module, named in `http.routing`; what it posts is a method of
`Books`, with a module in `books` where the posting rules are new.
"""
