"""Hand-made faults of the linker's core; the suite must notice each."""
