"""Physics of one structure: potentials, adsorption, ion migration. What needs an absent package names an extra."""
