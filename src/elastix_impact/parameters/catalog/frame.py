"""The frame of a registration: levels, dimension, seed, masks."""

from elastix_impact.parameters.entry import Parameter

_PIXEL_TYPE = "Pixel type in memory. Native runs compute in 32-bit floats whatever it says."

FRAME_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        name="NumberOfResolutions", kind="int", default="3", minimum=1,
        help="Number of levels, coarse to fine; lists per level have this length.",
    ),
    Parameter(
        name="FixedImageDimension", kind="int", allowed=("2", "3"),
        help="Dimension of the fixed image. Needed only to check a map without its images.",
    ),
    Parameter(
        name="MovingImageDimension", kind="int", allowed=("2", "3"),
        help="Dimension of the moving image, the same as the fixed image's.",
    ),
    Parameter(name="FixedInternalImagePixelType", kind="text", default="float", help=_PIXEL_TYPE),
    Parameter(name="MovingInternalImagePixelType", kind="text", default="float", help=_PIXEL_TYPE),
    Parameter(
        name="RandomSeed", kind="int", default="121212", minimum=0,
        help="Seed of all random draws, 0 to 4294967295; the same seed gives the same result.",
    ),
    Parameter(
        name="UseDirectionCosines", kind="bool", default="true",
        help='Whether image directions are respected; "false" treats every image as axis-aligned.',
    ),
    Parameter(
        name="GuardStages", kind="bool", default="false",
        help="Whether the result of this map is kept only if the images agree that it is no worse; this project's own.",
    ),
    Parameter(
        name="ErodeMask", kind="bool", default="true", indexing="level",
        help="Whether masks shrink on coarse levels, so that smoothed values from outside do not count.",
    ),
    Parameter(
        name="ErodeFixedMask", kind="bool", indexing="level", help="ErodeMask for the fixed mask. Default: ErodeMask."
    ),
    Parameter(
        name="ErodeMovingMask", kind="bool", indexing="level", help="ErodeMask for the moving mask. Default: ErodeMask."
    ),
    Parameter(
        name="ErodeFixedMask0", kind="bool", indexing="level", help="ErodeMask for the first fixed mask."
    ),
    Parameter(
        name="ErodeMovingMask0", kind="bool", indexing="level", help="ErodeMask for the first moving mask."
    ),
    Parameter(
        name="CheckNumberOfSamples", kind="bool", default="true", indexing="level", component="Metric",
        help="Whether the run stops when too few samples map into the moving image.",
    ),
    Parameter(
        name="RequiredRatioOfValidSamples", kind="float", default="0.25", indexing="level", minimum=0,
        component="Metric",
        help="Least share of samples that must map into the moving image and mask, 0 to 1.",
    ),
)  # fmt: skip
