"""Figures of the report page; this room imports theory, training, report.study and the files of report.

`scores` has those of trained students and the style of all, `theorems` those of formulas, `phases` and `underfit` those
of the study, `advice` those of the advice.
"""
