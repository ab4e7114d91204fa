"""The deformation: B-spline lattices, linear transforms, where they start."""

from elastix_impact.parameters.entry import Parameter

_SPLINE = "BSplineTransform"
_LINEAR = "linear transforms"
_SEARCH = "FeatureSearch"

TRANSFORM_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        name="HowToCombineTransforms", kind="text", default="Compose", allowed=("Compose", "Add"),
        component="Transform",
        help="Whether the transform acts after the initial one, or displacements are added.",
    ),
    Parameter(
        name="BSplineTransformSplineOrder", kind="int", default="3", allowed=("1", "2", "3"), component=_SPLINE,
        help="Order of the B-splines.",
    ),
    Parameter(
        name="UseCyclicTransform", kind="bool", default="false", component=_SPLINE,
        help="Whether the last axis is periodic. Native runs can't do that.",
    ),
    Parameter(
        name="FinalGridSpacingInPhysicalUnits", kind="float", default="8", indexing="axis", above=0, component=_SPLINE,
        help="Control point spacing of the last level in mm: one number, or one per axis.",
    ),
    Parameter(
        name="FinalGridSpacingInVoxels", kind="float", indexing="axis", above=0, component=_SPLINE,
        help="The same in voxels of the fixed image, instead of FinalGridSpacingInPhysicalUnits.",
    ),
    Parameter(
        name="GridSpacingSchedule", kind="float", indexing="level and axis", above=0, component=_SPLINE,
        help="Multiples of the final spacing, per level or levels x axes. Default: halved from level to level to 1.",
    ),
    Parameter(
        name="PassiveEdgeWidth", kind="int", default="0", indexing="level", minimum=0, component=_SPLINE,
        help="Control points at each border that stay put. Native runs can't do that.",
    ),
    Parameter(
        name="CenterOfRotationPoint", kind="float", indexing="axis", component=_LINEAR,
        help="Centre of rotation, world coordinates in mm. Default: the fixed image's centre.",
    ),
    Parameter(
        name="CenterOfRotation", kind="int", indexing="axis", component=_LINEAR, effect=False,
        help="Centre of rotation as a voxel index. Native runs read CenterOfRotationPoint only.",
    ),
    Parameter(
        name="AutomaticScalesEstimation", kind="bool", default="false", component=_LINEAR,
        help="Whether parameters are scaled by how far they move the image. AffineLogTransform always does.",
    ),
    Parameter(
        name="Scales", kind="float", indexing="list", above=0, component=_LINEAR,
        help="Scale of rotations and shears, or one per parameter. Default: 100000 for them, 1 for translations.",
    ),
    Parameter(
        name="AutomaticTransformInitialization", kind="bool", default="false", component=_LINEAR,
        help="Whether a first translation is found from the images; not after an initial transform.",
    ),
    Parameter(
        name="AutomaticTransformInitializationMethod", kind="text", default="GeometricalCenter", component=_LINEAR,
        allowed=("GeometricalCenter", "CenterOfGravity", "Origins", "GeometryTop", "FeatureSearch"),
        help='What is aligned. "Origins" and "GeometryTop" need AffineTransform. "FeatureSearch", ours, tries all '
             "turns and shifts, and keeps the headers' pose unless another is clearly better.",
    ),
    Parameter(
        name="SearchRotations", kind="text", component=_SEARCH,
        help='How many rotations are tried at least, spread evenly, or "near": those within 30 degrees. Default: '
             "200 in 3-D, 72 in 2-D.",
    ),
    Parameter(
        name="SearchVoxelSize", kind="float", above=0, component=_SEARCH,
        help="Voxel size in mm at which features are compared. Default: an 18th of the mean side of the smaller image "
             "(2-D: a 40th), or more where the other is much larger or flat.",
    ),
    Parameter(
        name="SearchMinimumOverlap", kind="float", default="0.5", above=0, component=_SEARCH,
        help="Share of the smaller image (of what it saw, and its mask) that both must see, up to 1.",
    ),
    Parameter(
        name="SearchCandidates", kind="int", default="5", minimum=1, component=_SEARCH,
        help="Poses that are refined and compared, beside those of the headers and of the centres brought together.",
    ),
    Parameter(
        name="InitialTransformParameterFileName", kind="text", component="Transform",
        aliases=("InitialTransformParametersFileName",), effect=False,
        help="Part of transform files; a registration is given its initial transform on the command line.",
    ),
)  # fmt: skip
