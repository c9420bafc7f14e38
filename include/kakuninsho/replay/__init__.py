"""A season replayed: the driver runs each DAG on its own days, in order, against the sandbox."""
