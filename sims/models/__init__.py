"""Models to simulate: test problems, students, and their local theory; this room imports theory and sims.engine."""
