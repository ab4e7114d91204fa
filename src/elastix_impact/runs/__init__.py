"""`runs`: one case end to end: files in, files out.

Depends on registration, judging, observers and io; applying, report, cli and api depend on it.
"""
