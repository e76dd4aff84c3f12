"""The site: its pages, and what makes the others from code and results; this room imports theory, sims, training and
report.

`python -m docs` builds it into `build/site/html`, with warnings as errors, and follows every internal link.
"""
