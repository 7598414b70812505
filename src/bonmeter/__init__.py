"""Best-of-n sampling: what it really costs (KL divergence) and buys (win rate)."""

import lazy_loader

# Lazy, so that a pipeline stage loads only the modules it uses.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
