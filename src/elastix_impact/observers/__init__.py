"""`observers`: whoever watches a registration: log, progress, iteration tables. They know nothing of `runs`.

Depends on registration and io; runs, applying and cli depend on it.
"""
