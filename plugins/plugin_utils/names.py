# Copyright: (c) 2026, The stratus.cloud developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What others call their machines, as names that an inventory may have."""

from __future__ import annotations

import re


def name_of(text, colons=False):
    """A host's name that neither ssh nor a terminal nor a template takes for more than that; with ``colons`` it may be an address of IPv6."""
    return re.sub(r"^-|[^\w.:-]" if colons else r"^-|[^\w.-]", "_", text)
