"""The queue of jobs: what a job is, who may add how many, and which one starts next."""
