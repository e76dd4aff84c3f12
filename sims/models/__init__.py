"""What is descended: test problems, students, and local theory; this room imports theory and sims.engine."""
