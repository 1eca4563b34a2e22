"""Features of crystal structures, in three tiers of cost."""
