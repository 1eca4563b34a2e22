"""Micrographs: their topology, sizes and shapes, and models of random structures to test them with."""
