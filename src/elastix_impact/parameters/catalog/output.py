"""What a run writes."""

from elastix_impact.parameters.entry import Parameter

OUTPUT_PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        name="WriteResultImage", kind="bool", default="true", component="Resampler",
        help="Whether the moving image is written as the fixed image sees it.",
    ),
    Parameter(
        name="WriteResultImageAfterEachResolution", kind="bool", default="false", indexing="level",
        component="Resampler", help="The same after each level.",
    ),
    Parameter(
        name="WriteResultImageAfterEachIteration", kind="bool", default="false", indexing="level", effect=False,
        component="Resampler", help="The same after each iteration. Native runs do not.",
    ),
    Parameter(
        name="ResultImageName", kind="text", default="result", component="Resampler",
        help="First part of the name of result images.",
    ),
    Parameter(
        name="ResultImageFormat", kind="text", default="mhd", component="Resampler",
        allowed=("mha", "mhd", "nii", "nii.gz", "nrrd", "nhdr", "tif", "tiff", "png", "jpg", "jpeg"),
        help='Suffix of result images without a dot, e.g. "mha", "nii.gz"; "png" and "jpg" for 2-D images only.',
    ),
    Parameter(
        name="ResultImagePixelType", kind="text", default="short", component="Resampler",
        allowed=(
            "char", "unsigned char", "short", "unsigned short", "ushort", "int", "unsigned int", "long",
            "unsigned long", "float", "double", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
            "uint64", "float32", "float64",
        ),
        help="Pixel type of result images.",
    ),
    Parameter(
        name="CompressResultImage", kind="bool", default="false", component="Resampler",
        help="Whether result images are compressed.",
    ),
    Parameter(
        name="DefaultPixelValue", kind="float", default="0", component="Resampler",
        help="Intensity where the result image lies outside of the moving image, e.g. -1000 for CT.",
    ),
    Parameter(
        name="FinalBSplineInterpolationOrder", kind="int", default="3", component="ResampleInterpolator",
        allowed=("0", "1", "2", "3"), help="Spline order of FinalBSplineInterpolator; 0 for label images.",
    ),
    Parameter(
        name="WriteFinalTransformParameters", kind="bool", default="true",
        help="Whether TransformParameters.<stage>.txt is written.",
    ),
    Parameter(
        name="WriteTransformParametersEachResolution", kind="bool", default="false",
        help="Whether TransformParameters.<stage>.R<level>.txt is written after each level.",
    ),
    Parameter(
        name="WriteTransformParametersEachIteration", kind="bool", default="false",
        help="Whether the transform is written after each iteration.",
    ),
    Parameter(
        name="WriteIterationInfo", kind="bool", default="true",
        help="Whether the table of iterations, IterationInfo.<stage>.R<level>.txt, is written.",
    ),
    Parameter(
        name="WritePyramidImagesAfterEachResolution", kind="bool", default="false", indexing="level",
        component="ImagePyramid", help="Whether the smoothed and shrunk images are written.",
    ),
    Parameter(
        name="ITKTransformOutputFileNameExtension", kind="text", default="", component="Transform",
        allowed=("", "tfm", "h5", "txt", "itk.txt", "hdf5"),
        help="Suffix of an ITK transform file beside the elastix one, empty = none.",
    ),
    Parameter(
        name="WriteITKCompositeTransform", kind="bool", default="false", component="Transform",
        help="Whether that ITK file holds the initial transforms too.",
    ),
    Parameter(
        name="OutputTransformParameterFileFormat", kind="text", default="txt", allowed=("", "txt", "TOML"),
        component="Transform", help="Form of the transform files.",
    ),
)  # fmt: skip
