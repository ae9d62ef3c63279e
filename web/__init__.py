"""`serve`: a REST API, a queue of jobs with its worker, and a dashboard, over the runs of one results folder.

`config` is what an operator sets; `app` puts the parts together. `access/` decides who may ask for what; `api/` and
`pages/` answer; `catalogue/` turns a request into a manifest that names only what the operator offers; `database/` and
`jobs/` keep the queue; `working/` runs its jobs, each a sweep in a process tree of its own.
"""
