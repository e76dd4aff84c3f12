"""The report page: theorems, simulations and trained students in one self-contained file."""
