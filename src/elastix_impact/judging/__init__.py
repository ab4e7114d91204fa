"""`judging`: the measures of a result, from what a case gives, and the tables and files made of them.

Depends on evaluation and io; runs and cli depend on it.
"""
