"""Pairs of students of one parameter each, their rules, and what they follow at a finite rate; this room imports theory
and sims.engine.
"""
