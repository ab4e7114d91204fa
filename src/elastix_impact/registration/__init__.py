"""`registration`: plan -> parts -> loop -> result.

Depends on every numeric room and on parameters; runs depends on it. It writes no files.
"""
