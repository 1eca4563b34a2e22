"""Records, units, errors, settings, hydrogen physics and the result store."""

__version__ = "0.1.0"
