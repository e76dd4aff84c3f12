"""Comparisons, measurements and tables made from runs; this room imports theory and every other room of training."""
