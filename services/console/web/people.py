"""Who may log in to the page, what each may do, and how the browser remembers it."""

import hashlib
import hmac
import time
from collections import deque
from typing import Literal, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request

from contracts import signals
from contracts.settings import ConsoleSettings

Role = Literal["reader", "operator", "admin"]
ROLES: tuple[Role, ...] = ("reader", "operator", "admin")
COOKIE = "tandem"
SESSION_S = 12 * 3600
TRIES, TRIES_WITHIN_S = 10, 60.0  # failed logins of everybody together
# What is hard to take back, or changes what is written at all.
FOR_ADMINS: frozenset[str] = frozenset(each.KIND for each in (signals.Forget, signals.Mode))
# Of a password that nobody has: who is not known takes as long as a wrong password.
_NOBODY = PasswordHasher().hash("nobody")


def hashed(password: str) -> str:
    """The Argon2 hash of a password, as `console.users` holds it."""
    return PasswordHasher().hash(password)


class Person(NamedTuple):
    """Who has logged in."""

    name: str
    role: Role

    def may(self, kind: str) -> bool:
        """Whether this person may send a signal of a kind."""
        needed: Role = "admin" if kind in FOR_ADMINS else "operator"
        return ROLES.index(self.role) >= ROLES.index(needed)


class People:
    """Logs in and recognises again. Sessions end when a password or the token is changed."""

    def __init__(self, held: ConsoleSettings) -> None:
        self._held = held
        token = held.token.get_secret_value() if held.token is not None else ""
        hashes = "".join(f"{name}{user.password_hash}" for name, user in held.users.items())
        self._secret = hashlib.sha256(f"{token}\n{hashes}".encode()).digest()
        self._sessions = URLSafeTimedSerializer(self._secret, salt="session")
        self._failed: deque[float] = deque(maxlen=TRIES)

    @property
    def anybody(self) -> bool:
        """Whether anybody may log in at all."""
        return self._held.token is not None or bool(self._held.users)

    def too_many(self) -> bool:
        """Whether so many logins failed of late that no other is tried."""
        since_s = time.monotonic() - TRIES_WITHIN_S
        return len(self._failed) == TRIES and self._failed[0] > since_s

    def login(self, name: str, password: str) -> Person | None:
        """The person, None where name and password do not fit. Without a name the password is the
        token."""
        found = self._by_password(name, password) if name else self._by_token(password)
        if found is None:
            self._failed.append(time.monotonic())
        return found

    def _by_token(self, given: str) -> Person | None:
        token = self._held.token
        if token is None or not hmac.compare_digest(
            given.encode("utf-8", "surrogatepass"), token.get_secret_value().encode()
        ):
            return None
        return Person("token", "admin")

    def _by_password(self, name: str, password: str) -> Person | None:
        user = self._held.users.get(name)
        try:
            PasswordHasher().verify(user.password_hash if user else _NOBODY, password)
        except (VerificationError, InvalidHashError, UnicodeError):
            return None
        return Person(name, user.role) if user is not None else None

    def session(self, person: Person) -> str:
        """What the cookie of a session holds."""
        return self._sessions.dumps([person.name, person.role])

    def of(self, request: Request) -> Person | None:
        """Who sent a request, by its cookie; a role that was taken away counts no more."""
        try:
            name, role = self._sessions.loads(request.cookies.get(COOKIE, ""), SESSION_S)
        except (BadSignature, ValueError):
            return None
        user = self._held.users.get(name)
        if name == "token" and user is None:
            return Person("token", "admin") if self._held.token is not None else None
        return Person(name, user.role) if user is not None and role == user.role else None

    def csrf(self, request: Request) -> str:
        """What a form must carry that this session sends."""
        session = request.cookies.get(COOKIE, "").encode("utf-8", "surrogatepass")
        return hmac.new(self._secret, session, "sha256").hexdigest()

    def is_own_form(self, request: Request, given: str) -> bool:
        """Whether a form was made by this page for this session, and not by a stranger's page."""
        given_bytes = given.encode("utf-8", "surrogatepass")
        return hmac.compare_digest(given_bytes, self.csrf(request).encode())
