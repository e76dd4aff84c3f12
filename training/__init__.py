"""Deep mutual learning with the Rényi divergence, in PyTorch."""
