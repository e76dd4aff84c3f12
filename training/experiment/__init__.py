"""Many runs and what is said about them; this room imports theory and every other room of training."""
