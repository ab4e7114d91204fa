"""What a run will take, before it begins: memory and time of each phase, by headers and settings alone.

Plain formulas: each says where its bytes come from. Nothing here reads a voxel.
"""
