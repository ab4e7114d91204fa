"""`io`: files: images, points, transforms. The only room with SimpleITK and nibabel.

Depends on geometry, transforms and the grammar in parameters; runs and cli depend on it.
"""
