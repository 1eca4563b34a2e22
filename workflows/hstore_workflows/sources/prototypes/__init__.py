"""Structure types and their decoration with elements: the enumeration uses some, ``hstore fetch prototypes`` all."""
