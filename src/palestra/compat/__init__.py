"""NeMo Gym's configuration files and commands; nothing but `cli` imports it."""
