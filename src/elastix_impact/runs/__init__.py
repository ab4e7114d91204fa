"""`runs`: one case end to end: files in, files out.

Depends on registration, evaluation and io; cli depends on it.
"""
