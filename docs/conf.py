"""How the documentation site is built: ``make docs``, or ``sphinx-build -W docs site``.

Pages that follow from the code (commands, settings, routes, errors, cards, benchmarks) are written into
``docs/generated`` at the start of each build, by the extension beside this file.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "hstore"
author = "The hstore developers"
project_copyright = f"{datetime.now(UTC):%Y}, {author}"
version = release = version_of("hstore")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_hstore",
]
exclude_patterns = ["_static", "generated/how-wrong.md", "sphinx_hstore", "**.ipynb_checkpoints"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of signatures that have no page
smartquotes = False  # it makes one dash of the two of an option

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the tests run the notebooks; the site shows what they printed
html_math_renderer = "mathml"
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_line_continuation_character = "\\"

autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True

html_theme = "pydata_sphinx_theme"
html_title = f"hstore {release}"
html_static_path = ["_static"]
html_css_files = ["hstore.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "default",
    "pygments_dark_style": "github-dark",
}
