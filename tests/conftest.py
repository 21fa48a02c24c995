"""Settings of all tests."""

from hypothesis import settings

# A first example that imports a library, on a busy machine, is no defect.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
