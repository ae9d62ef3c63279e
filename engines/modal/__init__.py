"""Rented machines at Modal: units are calls of one deployed function, and results land in one of Modal's Volumes.

`settings` says what can be asked for, `app_file` writes the app that is deployed, `function` is what its function does
on Modal's machine, `service` speaks with Modal, and `engine` brings a sweep there. We have never run it at Modal.
"""
