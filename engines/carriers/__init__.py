"""How the folder of an attempt gets to a machine that shares no disk with this one, and back while it grows.

A carrier (`contract`) is a folder that all machines see (`shared_folder`), or a store of named blobs (`blobs`): an
object store (`object_store`) or a mounted volume; `engines.node.carried` is the other end. What grows in a folder is
found in one way (`growing_files`) and written here in one way (`received_files`), whatever carries it: frames over ssh
(`engines.node.frames`), or packs through a store or Ray (`packs`).
"""
