"""`cli`: words in, exit codes out. Imports heavy rooms inside the command.

Nothing depends on it.
"""
