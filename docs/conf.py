"""The documentation site: `make docs`. Everything it needs is local; a broken link fails it."""

import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

project = "bonmeter"
copyright = "the bonmeter developers"
html_title = "bonmeter"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "site_pages"]
html_math_renderer = "mathml"
exclude_patterns = ["build", "figures"]
default_role = "py:obj"
suppress_warnings = ["ref.python"]  # a field's name may be that of several classes
add_module_names = False
python_use_unqualified_type_names = True
autodoc_typehints = "signature"
# What only `make llm` installs: its users are documented without it.
autodoc_mock_imports = [
    name for name in ("gguf", "tokenizers", "torch", "transformers") if find_spec(name) is None
]
autodoc_type_aliases = {name: name for name in ("ArrayLike", "FloatArray")}
maximum_signature_line_length = 88
autodoc_member_order = "bysource"
napoleon_use_ivar = True
napoleon_use_rtype = False

myst_enable_extensions = ["dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 4
