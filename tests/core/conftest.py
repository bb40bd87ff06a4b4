from __future__ import annotations

import os

from hypothesis import settings

# A slow machine is no mistake of the code.
settings.register_profile("core", deadline=None, max_examples=25)
settings.register_profile("fast", deadline=None, max_examples=5)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "core"))
