"""Comparisons, measurements, evaluations, tables and figures made from runs; this room imports theory and every other room of training."""
