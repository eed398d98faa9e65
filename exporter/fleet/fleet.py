"""The accounts and their VMs, as last known."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from exporter.clock import Stint
from exporter.fleet.expiry import aged
from exporter.fleet.vm import Vm

__all__ = ["AccountView", "Change", "Fleet"]


class AccountView(Struct, frozen=True, gc=False, kw_only=True):
    """What is known of one account. `up` is None until a listing has succeeded or failed for good."""

    name: str
    account_id: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    up: bool | None = None
    listed: bool = False
    credential_expires_at: float | None = None
    broken: int = 0
    """Entries of the last listing that could not be understood; of those whose id was known, the VM is kept."""

    @property
    def key(self) -> str:
        """What the account is remembered by: two may watch parts of one account of the provider under two names."""
        return f"{self.account_id}/{self.name}"


class Change(Struct, frozen=True, gc=False):
    """What a publication changed: VMs whose snapshot is new, and whether VMs came or went."""

    account: str
    vm_ids: frozenset[str]
    membership: bool


_LOOKED_AT_ONCE = 1_000
"""To see that a VM has not aged takes 0.1 µs."""


class Fleet:
    """Holds the snapshots. One writer (intake); readers take what they need and hold it as long as they like."""

    def __init__(self) -> None:
        self._accounts: dict[str, AccountView] = {}
        self._vms: dict[str, dict[str, Vm]] = {}
        self._subscribers: list[Callable[[Change], None]] = []

    def subscribe(self, subscriber: Callable[[Change], None]) -> None:
        self._subscribers.append(subscriber)

    def accounts(self) -> tuple[AccountView, ...]:
        """The accounts in the order of the configuration."""
        return tuple(self._accounts.values())

    def account(self, name: str) -> AccountView | None:
        return self._accounts.get(name)

    def vms(self, account: str) -> Mapping[str, Vm]:
        """The VMs of an account by id; a live view, to be used before the next await."""
        return MappingProxyType(self._vms.get(account, {}))

    def keep_accounts(self, views: Iterable[AccountView]) -> None:
        """Make these the accounts, in this order: what is known of those that stay is kept, others go."""
        kept = {}
        for view in views:
            known = self._accounts.get(view.name)
            if known is not None and known.account_id == view.account_id:
                kept[view.name] = replace(known, labels=view.labels, credential_expires_at=view.credential_expires_at)
            else:
                kept[view.name] = view
                self._vms[view.name] = {}
        gone = self._accounts.keys() - kept.keys()
        self._accounts = kept
        for name in gone:
            del self._vms[name]
        for name in (*kept, *gone):
            self._tell(Change(name, frozenset(), membership=True))

    def set_account(self, view: AccountView) -> None:
        """Replace what is known of an account itself; one that is not watched (any more) is ignored."""
        if view.name in self._accounts and self._accounts[view.name] != view:
            self._accounts[view.name] = view
            self._tell(Change(view.name, frozenset(), membership=False))

    def replace(self, account: str, changed: Iterable[Vm], gone: Iterable[str] = ()) -> None:
        """Publish snapshots of one account and drop those that are gone; tell the subscribers once."""
        vms = self._vms.get(account)
        if vms is None:
            return
        dropped = [vm_id for vm_id in gone if vms.pop(vm_id, None) is not None]
        news = [vm for vm in changed if vms.get(vm.machine.vm_id) != vm]
        born = any(vm.machine.vm_id not in vms for vm in news)
        vms.update((vm.machine.vm_id, vm) for vm in news)
        if news or dropped:
            ids = frozenset(vm.machine.vm_id for vm in news)
            self._tell(Change(account, ids, membership=born or bool(dropped)))

    async def expire(self, stint: Stint, *, now_s: float) -> None:
        """Withdraw what time alone has made stale."""
        for account, vms in tuple(self._vms.items()):
            known = tuple(vms.values())
            for first in range(0, len(known), _LOOKED_AT_ONCE):
                await stint.part_done()
                for vm in known[first : first + _LOOKED_AT_ONCE]:
                    if vm.ages_at <= now_s:
                        await stint.part_done()
                        if self._vms.get(account, {}).get(vm.machine.vm_id) is vm:
                            self.replace(account, [aged(vm, now_s=now_s)])

    def _tell(self, change: Change) -> None:
        for subscriber in self._subscribers:
            subscriber(change)
