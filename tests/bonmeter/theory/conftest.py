from collections.abc import Iterator

import pytest
from flint import ctx


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    with ctx.workprec(256):
        yield
