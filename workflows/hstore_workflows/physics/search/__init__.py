"""Search for the crystal structure of a composition: random and known starts, relaxed, told apart and ranked."""
