"""Toy simulations of constant-rate SGD against the bounds of `theory`."""
