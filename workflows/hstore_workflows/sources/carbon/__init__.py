"""Carbon sheets built on surfaces: sheets, tubes, cages, Schwarzites and random pores."""
