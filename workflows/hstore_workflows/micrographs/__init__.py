"""Micrographs: reading them, describing many, and asking what they have to do with a measured property."""
