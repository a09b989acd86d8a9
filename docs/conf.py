# SPDX-License-Identifier: Apache-2.0
"""Settings of Sphinx. The source folder is the repository, so that every page's links work here and there."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "mmq-tf"
project_copyright = "the mmq-tf authors, Apache-2.0"
author = "the mmq-tf authors"
root_doc = "docs/index"
language = "en"

extensions = [
    "generated_pages",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]

include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/**/*.md",
    "docs/gallery/*.rst",
    "firmware_bridge/README.md",
    "firmware_bridge/web/README.md",
    "results/*.md",
]
exclude_patterns = [".*", "build", "tests", "runs", "bundles", "demo", "docs/gallery/GALLERY_HEADER.rst"]
suppress_warnings = ["myst.header", "config.cache"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
html_theme = "pydata_sphinx_theme"
html_title = "mmq-tf"
html_extra_path = ["_site"]
html_static_path = ["_static"]
html_css_files = ["site.css"]
smartquotes = False  # `--out` is not a dash
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "search_as_you_type": True}

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
nitpick_ignore_regex = [("py:.*", ".*"), ("c:identifier", ".*")]

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "docs/gallery",
    "filename_pattern": "/plot_",
    "ignore_pattern": "plugin_dataset",
    "nested_sections": False,
    "within_subsection_order": "FileNameSortKey",
    "write_computation_times": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
}
