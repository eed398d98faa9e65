"""Which credential a refusal is blamed on."""

import pytest

from exporter.gigas import CredentialRefused, Unauthorized
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


async def test_a_key_that_was_taken_again_after_a_refusal_is_shown_as_new() -> None:
    """What is shown from before the refusal would make the next one old news."""
    clock = JumpingClock()
    source = KeySource(key(), account="production", clock=clock)
    shown = await source.present("virtual_machines", before=None)
    assert await source.present("virtual_machines", before=None) is shown
    await clock.advance(5.0)
    source.refused(shown, "virtual_machines")
    with pytest.raises(CredentialRefused):
        await source.present("virtual_machines", before=None)
    await clock.advance(10.0)
    probe = await source.present("virtual_machines", before=None)
    assert probe.probe
    source.accepted(probe)
    again = await source.present("virtual_machines", before=None)
    await clock.advance(5.0)
    source.refused(again, "virtual_machines")
    with pytest.raises(CredentialRefused):
        await source.present("virtual_machines", before=None)
