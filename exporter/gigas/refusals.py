"""Whether a credential may be shown again after the provider refused it. Pure: instants are arguments."""

__all__ = ["Refusals"]

_FIRST_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 285.0
"""A refused password is asked with again after at most 5 minutes (contract), the next poll's own wait included."""


class Refusals:
    """Remembers the secret that was refused. Another secret may be tried at once; the same one after pauses that grow,
    and then by one request alone (`probe_s`: how long the others wait for how that ends).
    """

    def __init__(self) -> None:
        self._secret: str | None = None
        self._since_s = 0.0
        self._until_s = 0.0
        self._pause_s = 0.0

    def concerns(self, secret: str) -> bool:
        """Whether it is this one that was refused last."""
        return secret == self._secret

    def wait_s(self, secret: str, *, now_s: float) -> float:
        """Return for how long that secret must not be shown; 0 if it may be."""
        return max(0.0, self._until_s - now_s) if self.concerns(secret) else 0.0

    def probing(self, *, now_s: float, probe_s: float) -> None:
        """Keep everybody else from trying while one does."""
        self._until_s = now_s + probe_s

    def refused(self, secret: str, *, shown_s: float, now_s: float, longest_pause_s: float = _LONGEST_PAUSE_S) -> None:
        """Begin the next pause. A request that was under way when this one began tells nothing new."""
        if self.concerns(secret) and shown_s < self._since_s:
            return
        grown_s = self._pause_s * 2 if self.concerns(secret) else _FIRST_PAUSE_S
        self._pause_s = min(grown_s, longest_pause_s)
        self._secret, self._since_s, self._until_s = secret, now_s, now_s + self._pause_s

    def accepted(self, secret: str, *, shown_s: float) -> None:
        """Forget, if it was shown since."""
        if self.concerns(secret) and shown_s >= self._since_s:
            self._secret = None
