"""Structure types and their decoration with elements, for the enumeration and ``hstore fetch prototypes``."""
