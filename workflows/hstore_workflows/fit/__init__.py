"""Fits of measured curves the way a paper would make them: values with intervals, and a figure."""
