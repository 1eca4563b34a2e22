"""The project's own enumeration of candidates."""
