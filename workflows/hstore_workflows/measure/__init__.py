"""Results of labs: tables and isotherms in, checked and unit-normalised records out."""
