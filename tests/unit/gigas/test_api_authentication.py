"""Which credential a refusal is blamed on."""

import pytest

from exporter.gigas import Unauthorized
from exporter.gigas.asking import Authorize
from exporter.gigas.auth import Authentication, KeySource
from tests.unit.gigas.clients import key
from tests.unit.gigas.doubles import JumpingClock


def authentication() -> Authentication:
    return Authentication(KeySource(key(), account="production", clock=JumpingClock()))


async def test_a_refusal_of_a_call_that_showed_nothing_is_blamed_on_no_credential() -> None:
    async def refused(_: Authorize) -> str:
        raise Unauthorized("production", "virtual_machines", 401)

    async def shows(authorize: Authorize) -> str | None:
        return await authorize()

    made = authentication()
    with pytest.raises(Unauthorized):
        await made.make("virtual_machines", refused)
    assert await made.make("virtual_machines", shows) == "Bearer demo-key"


async def test_a_call_that_needs_to_show_nothing_is_made() -> None:
    async def answered(_: Authorize) -> str:
        return "answer"

    assert await authentication().make("virtual_machines", answered) == "answer"
