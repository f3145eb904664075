"""Signed, expiring film addresses, as an object store hands them out."""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and checks film links with one secret; `lifetime` in seconds."""

    secret: str
    lifetime: float

    def link(self, origin: str, task_id: str, now: float) -> str:
        """A fresh address for a task's film, good for `lifetime` from `now`."""
        expires = math.ceil((now + self.lifetime) * 1000)
        query = urlencode({"expires": expires, "signature": self._sign(task_id, expires)})
        return f"{origin}/films/{task_id}.mp4?{query}"

    def accepts(self, task_id: str, query: str, now: float) -> bool:
        """Whether the query of a film request is signed for this film and not yet expired."""
        fields = parse_qs(query)
        try:
            expires = int(fields["expires"][0])
            signature = fields["signature"][0]
        except (KeyError, ValueError):
            return False
        good = hmac.compare_digest(signature.encode(), self._sign(task_id, expires).encode())
        return good and now * 1000 < expires

    def _sign(self, task_id: str, expires: int) -> str:
        message = f"{task_id}\n{expires}".encode()
        return hmac.new(self.secret.encode(), message, hashlib.sha256).hexdigest()
