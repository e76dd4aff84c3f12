"""Many runs and what is said about them; this room imports every other room of training."""
