"""What runs inside a sandbox: the standard library only, nothing of Palestra; loaded before the walls go up."""
