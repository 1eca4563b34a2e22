"""Topology of structures: the periodic alpha complex, its persistence, and what follows from them."""
