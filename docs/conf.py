"""The documentation as a site: `python -m sphinx -W --keep-going -b html docs build/site`.

Pages are the Markdown files of this folder, as a code host shows them too. What `docs.site` makes
of the program itself, and of links to files that are no pages, is put in when a page is read.
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.site.source import setup  # noqa: E402, F401  (Sphinx calls it)

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_REPOSITORY = _PROJECT["urls"]["Repository"]

project = _PROJECT["name"]
version = release = _PROJECT["version"]
author = _PROJECT["authors"][0]["name"]
project_copyright = author

extensions = ["myst_nb", "sphinx_copybutton"]
exclude_patterns = ["schemas", "site", "images"]
myst_enable_extensions = ["attrs_inline", "deflist", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks come with their output; a test runs them

python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
smartquotes = False  # `--json` is an option, also in a sentence
highlight_language = "none"

html_theme = "furo"
html_title = f"{project} {version}"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_last_updated_fmt = None  # the same pages make the same site
html_theme_options = {
    "source_repository": f"{_REPOSITORY}/",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"
