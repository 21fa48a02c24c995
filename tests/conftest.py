"""Settings of all tests."""

import signal

from hypothesis import HealthCheck, settings

# A shell lets what it runs in the background ignore Ctrl-C, and all that the tests start would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A first example that imports a library, on a busy machine, is no defect.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
