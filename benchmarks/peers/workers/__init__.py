"""One script per rival: `python SCRIPT JOB.json` registers a pair and writes its displacement field (LPS, mm).

Each runs with the Python of the rival's own environment and therefore imports nothing of this project. JOB.json is
what `engines.Job.write` writes: `fixed`, `moving`, `mask` (or null), `start` (or null: an ITK affine), `dimension`,
`rigid`, `same`, `centres`, `small`, `seed`, `threads`, `field`.
"""
