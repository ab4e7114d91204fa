"""Accuracy, time and memory beside itk-elastix, measured in the same minute. See README.md."""
