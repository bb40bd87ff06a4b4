from __future__ import annotations

from hypothesis import settings

# A slow machine is no mistake of the code.
settings.register_profile("core", deadline=None, max_examples=25)
settings.load_profile("core")
