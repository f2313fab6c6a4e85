"""The simulated rack: one world model with several faces. Nothing in plugins/ or roles/ knows that it exists."""
