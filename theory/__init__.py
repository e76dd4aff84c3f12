"""The Rényi divergence, its gradients and its theorems, in float64 and without torch."""
