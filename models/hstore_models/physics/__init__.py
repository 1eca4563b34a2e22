"""Physics of one structure: potentials, adsorption, ion migration. Each needs an optional package, named when absent."""
