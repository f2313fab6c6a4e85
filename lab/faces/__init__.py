"""How the simulated world is reached: one face per real client."""
