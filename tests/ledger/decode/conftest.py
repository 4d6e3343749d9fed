from __future__ import annotations

from hypothesis import HealthCheck, settings

# `make fuzz` runs the same properties with many more examples.
settings.register_profile("fuzz", max_examples=5_000, deadline=None, suppress_health_check=list(HealthCheck))
