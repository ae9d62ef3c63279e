"""Units as tasks of a Ray cluster. Ray schedules them and shows them in its dashboard by their names.

`engine` is the coordinator's part. It never imports Ray: a driver process (`driver`) does, which ends with the
cluster's node on this machine or with the coordinator. Between them is a socket (`link`) with a few messages
(`messages`). A task is a few lines that find our checkout on the node (`stub`) and `engines.node.streamed_unit`, which
starts the unit's program and streams what its folder gains back as the task's results.
"""
