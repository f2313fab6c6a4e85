"""Settings of Sphinx. `make docs` builds the pages strictly, with the references that antsibull-docs makes of the sources."""

import os
import re
from pathlib import Path

from sphinx.errors import SphinxError

project = "stratus.cloud"
author = "The stratus.cloud developers"
copyright = "2026, The stratus.cloud developers"  # noqa: A001 (the name that Sphinx reads)

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "stratus.cloud"
html_show_sphinx = False
# Labels of Ansible's own documentation are only resolved with network; the build needs none.
suppress_warnings = ["ref.ref"]

# The pages are copied together with generated ones before they are built; this is where they came from.
CHECKOUT = Path(os.environ["STRATUS_CHECKOUT"])
REPOSITORY = "https://github.com/stratus-cloud/stratus.cloud/blob/main"


def lead_out(app, document, source):
    """Links to files of the repository that are no pages lead to the repository; one to nothing stops the build."""

    def target(match):
        path, anchor = match[1], match[2] or ""
        if not (CHECKOUT / path).exists():
            raise SphinxError(f"docs/{document}.md links to ../{path}, which is not there")
        return f"]({REPOSITORY}/{path}{anchor})"

    source[0] = re.sub(r"\]\(\.\./([^)#]+)(#[^)]*)?\)", target, source[0])


def setup(app):
    app.connect("source-read", lead_out)
