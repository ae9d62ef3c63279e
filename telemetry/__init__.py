"""What devices, processes and the server itself did during a run: measured, attributed and summed up."""
