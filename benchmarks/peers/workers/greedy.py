"""picsl_greedy: rigid, affine, deformable; normalised correlation, across contrasts mutual information."""

import json
import os
import sys
import tempfile

from picsl_greedy import Greedy2D, Greedy3D


def main(path: str) -> None:
    """Register and write the field."""
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    dimension = job["dimension"]
    affine_metric, metric = _metrics(job)
    mask = f" -gm {job['mask']}" if job["mask"] else ""
    images = f"-i {job['fixed']} {job['moving']}{mask} -n 100x50x10 -threads {job['threads']}"
    begin = "-ia-image-centers" if job["centres"] else "-ia-identity"
    with tempfile.TemporaryDirectory() as folder:
        rigid, affine, warp = (os.path.join(folder, name) for name in ("rigid.mat", "affine.mat", "warp.nii"))
        program = Greedy2D() if dimension == 2 else Greedy3D()
        program.execute(f"{images} -m {affine_metric} -a -dof 6 {begin} -o {rigid}")
        chain = rigid
        if not job["rigid"]:
            program.execute(f"{images} -m {affine_metric} -a -dof 12 -ia {rigid} -o {affine}")
            program.execute(f"{images} -m {metric} -it {affine} -o {warp}")
            chain = f"{warp} {affine}"
        program.execute(f"-rf {job['fixed']} -r {chain} -rc {job['field']} -threads {job['threads']}")


def _metrics(job: dict) -> tuple[str, str]:
    """For the affine stages and for the deformation."""
    if job["same"]:
        local = "NCC " + "x".join(["2"] * job["dimension"])
        return local, local
    # where the headers say nothing the affine stages by mutual information leave the other image altogether
    return ("NCC 4x4x4", "MI") if job["centres"] else ("NMI", "NMI")


if __name__ == "__main__":
    main(sys.argv[1])
