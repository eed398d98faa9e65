"""Snapshots as lines of the text format. Sample lines are the same bytes in text 0.0.4 and OpenMetrics 1.0.

Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from exporter.fleet import AccountView, Vm
from exporter.metrics.catalogue import VM_LABELS, AccountFamily, Family, Sample, TallyFamily, VmFamily

__all__ = [
    "Renderer",
    "account_lines",
    "identity_of",
    "openmetrics_header",
    "tally_lines",
    "text_header",
    "written",
]

_DIGITS = 6
_EXPONENT_FROM = 10.0**_DIGITS
"""Go writes larger numbers with an exponent, Python from 10^16 on."""
_EXPONENTS = ("", *(f"e+{digits - 1:02d}" for digits in range(1, 17)))
_MINUS_INFINITY = -math.inf
_UNUSUAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def text_header(family: Family) -> bytes:
    """The header of a family in text 0.0.4."""
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.type}\n".encode()


def openmetrics_header(family: Family) -> bytes:
    """The header of a family in OpenMetrics 1.0, where a counter's family is named without `_total`."""
    name = family.name.removesuffix("_total") if family.type == "counter" else family.name
    unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.type}\n{unit}".encode()


def identity_of(vm: Vm) -> str:
    """The labels that all series of the VM have, as they are written."""
    return _filled(_IDENTITY, (vm.account, vm.machine.vm_id, vm.machine.name))


class Renderer:
    """Writes the lines of some VMs. What is the same in many of them is turned into text once."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._labels: dict[tuple[str, ...], _Labels] = {}

    def lines(self, family: VmFamily, vms: Iterable[Vm], identities: Iterable[str]) -> bytes:
        """The VMs' lines of a family. `identities` are those of the same VMs."""
        samples, numbers, begin = family.samples, self._numbers, f"{family.name}{{"
        # Both loops run for every sample that is exposed: nothing is called in them that has not to be. A zero may be
        # a negative one: equal as a key, but written differently.
        if not family.labels:
            lines = [
                f"{begin}{identity}}} {numbers[number] if number else repr(1.0 * number)}\n"
                for vm, identity in zip(vms, identities, strict=True)
                for _, number in samples(vm)
            ]
        else:
            labels = self._labels.setdefault(family.labels, _Labels(family.labels))
            lines = [
                f"{begin}{identity},{labels[values]}}} {numbers[number] if number else repr(1.0 * number)}\n"
                for vm, identity in zip(vms, identities, strict=True)
                for values, number in samples(vm)
            ]
        return "".join(lines).encode(errors="replace")


class _Numbers(dict[float, str]):
    """The text of each number but zero, made when it is first needed."""

    def __missing__(self, number: float) -> str:
        text = self[number] = written(float(number))
        return text


class _Labels(dict[tuple[str, ...], str]):
    """The text of labels of some names, by their values, made when it is first needed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._form = _form(names)

    def __missing__(self, values: tuple[str, ...]) -> str:
        text = self[values] = _filled(self._form, values)
        return text


def account_lines(family: AccountFamily, account: AccountView) -> bytes:
    """One account's lines of a family."""
    own = family.own_labels(account)
    names = (*family.labels, *own)
    samples = (((*values, *own.values()), number) for values, number in family.samples(account))
    return _lines(family, names, samples)


def tally_lines(family: TallyFamily, account: AccountView, sums: Mapping[tuple[str, ...], float]) -> bytes:
    """One account's lines of a family, from sums over its VMs. Nothing is known before it was listed."""
    if not account.listed:
        return b""
    shown = family.shown(account, {**dict.fromkeys(family.zeros, 0.0), **sums})
    return _lines(family, family.labels, (((account.name, *values), number) for values, number in shown.items()))


def _lines(family: Family, names: Sequence[str], samples: Iterable[Sample]) -> bytes:
    form = _form(names)
    lines = (f"{family.name}{{{_filled(form, values)}}} {written(float(number))}\n" for values, number in samples)
    return "".join(lines).encode(errors="replace")


def _form(names: Iterable[str]) -> str:
    """Labels with their values left out."""
    return ",".join(f'{name}="%s"' for name in names)


_IDENTITY = _form(VM_LABELS)


def _filled(form: str, values: tuple[str, ...]) -> str:
    together = "".join(values)  # One look at all of them is cheaper than one at each.
    if '"' in together or "\\" in together or "\n" in together:
        values = tuple(map(_escape, values))
    return form % values


def _escape(value: str) -> str:
    """A label's value as it stands between quotation marks."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def written(number: float) -> str:
    """A number as Go writes it, and prometheus_client after it.

    >>> [written(number) for number in (0.0, 12.5, 999_999.0, 1_700_000_000.0, 1e-7, math.inf)]
    ['0.0', '12.5', '999999.0', '1.7e+09', '1e-07', '+Inf']
    """
    text = repr(number)
    if _MINUS_INFINITY < number < _EXPONENT_FROM:
        return text
    whole, _, rest = text.partition(".")
    if len(whole) <= _DIGITS:  # It has an exponent already, or is no number.
        return _UNUSUAL.get(text, text)
    mantissa = f"{whole[0]}.{whole[1:]}".rstrip("0.") if rest == "0" else f"{whole[0]}.{whole[1:]}{rest}"
    return mantissa + _EXPONENTS[len(whole)]
