"""`applying`: a transform that exists, applied to images, labels, points, meshes and fields: transform, transformix.

Depends on runs (folder, device) and io; report, cli and api depend on it.
"""
