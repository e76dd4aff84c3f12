"""Figures of the report page; this room imports theory and the files of report.

`scores` has those of trained students and the style of all, `theorems` those of formulas, `study` and `advice` those of
the committed studies.
"""
