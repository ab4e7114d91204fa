"""antspyx: SyN with mutual information, with cross-correlation for small pairs of one contrast; Rigid for one head."""

import json
import os
import shutil
import sys
import tempfile

import ants


def main(path: str) -> None:
    """Register and write the field."""
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    fixed, moving = (ants.image_read(job[role], dimension=job["dimension"]) for role in ("fixed", "moving"))
    options: dict = {"type_of_transform": "Rigid" if job["rigid"] else "SyN", "random_seed": job["seed"]}
    if not job["centres"]:
        options["initial_transform"] = "Identity"
    if job["mask"]:
        options["mask"] = ants.image_read(job["mask"], dimension=job["dimension"])
    if job["small"]:
        options["reg_iterations"] = (100, 70, 20)
        if job["same"]:
            options |= {"syn_metric": "CC", "syn_sampling": 2}
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "out")
        found = ants.registration(fixed, moving, outprefix=prefix, **options)
        whole = ants.apply_transforms(fixed, moving, found["fwdtransforms"], compose=os.path.join(folder, "whole"))
        shutil.move(whole, job["field"])


if __name__ == "__main__":
    main(sys.argv[1])
