"""itk-elastix with its own default maps: rigid, affine, B-spline, mutual information."""

import json
import sys

import itk


def main(path: str) -> None:
    """Register and write the field."""
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    maps = itk.ParameterObject.New()
    for number, name in enumerate(("rigid",) if job["rigid"] else ("rigid", "affine", "bspline")):
        one = maps.GetDefaultParameterMap(name)
        one["RandomSeed"] = (str(job["seed"]),)
        one["WriteResultImage"] = ("false",)
        if number == 0 and job["centres"]:
            one["AutomaticTransformInitialization"] = ("true",)
        maps.AddParameterMap(one)
    fixed, moving = (itk.imread(job[role], itk.F) for role in ("fixed", "moving"))
    mask = {"fixed_mask": itk.imread(job["mask"], itk.UC)} if job["mask"] else {}
    _, found = itk.elastix_registration_method(
        fixed, moving, parameter_object=maps, number_of_threads=job["threads"], log_to_console=True, **mask
    )
    itk.imwrite(itk.transformix_deformation_field(moving, found), job["field"])


if __name__ == "__main__":
    main(sys.argv[1])
