"""`staging`: the folder of a run: it works beside the earlier result there, and takes its place when it has ended well.

Depends on io; runs, applying, report, cli and api depend on it.
"""
