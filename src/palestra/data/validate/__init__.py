"""Finding what is wrong with files of tasks, rollouts or failures before it costs anything."""
