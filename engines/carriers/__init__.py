"""How the folder of an attempt gets to a machine that shares no disk with this one, and back while it grows.

A carrier (`contract`) is a folder that all machines see (`shared_folder`), or a store of named blobs (`blobs`): an
object store (`object_store`) or a mounted volume. Through a store go packs of changes (`changes`), which are found by
watching a folder (`growing_files`). `engines.node.carried` is the other end.
"""
