"""Sphinx's configuration; `docs.build` lays the sources."""

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]

project = _PROJECT["name"]
author = "the rdml authors"
project_copyright = "the rdml authors, MIT licence"
version = release = _PROJECT["version"]

extensions = ["docs.mathml", "docs.docstrings", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
exclude_patterns: list[str] = []
default_role = "code"
suppress_warnings = ["mystnb.unknown_mime_type"]

html_theme = "furo"
html_title = "rdml"
html_static_path = ["pages/_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False

nb_execution_mode = "off"  # `docs.notebooks` executes them
nb_output_stderr = "remove"  # warnings of progress bars
myst_enable_extensions = ["dollarmath", "deflist", "fieldlist", "attrs_block"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
