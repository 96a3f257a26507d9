"""UserApi: people, their roles, their passwords and their login tokens."""

from __future__ import annotations

from pulp.common.clock import Clock
from pulp.common.times import to_datetime
from pulp.server.api.access import require
from pulp.server.api.attempts import Attempts
from pulp.server.api.errors import Busy, Conflict, Forbidden, NotFound, Unauthenticated, invalid
from pulp.server.api.idempotency import Once, once
from pulp.server.api.paging import listed
from pulp.server.api.passwords import Passwords
from pulp.server.api.sessions import Sessions
from pulp.server.api.types import (
    ListView,
    LoginBody,
    LoginView,
    PatchUserBody,
    UserBody,
    UserView,
)
from pulp.server.api.views import role_name, user_view
from pulp.server.db.base import Duplicate, Store, UnitOfWork
from pulp.server.domain.user import Principal, Role, User

WRONG = "the login or the password is wrong"


class UserApi:
    def __init__(
        self, store: Store, clock: Clock, *, passwords: Passwords, sessions: Sessions
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._sessions = sessions
        self._attempts = Attempts(clock)

    # --- who asks ---

    def login(self, body: LoginBody) -> LoginView:
        """A new token. Unauthenticated tells nothing of which part was wrong; TooManyAttempts; Busy."""
        user = self._verified(body.login, body.password)

        def job(uow: UnitOfWork) -> LoginView:
            current = uow.users.get(user.login)
            if current is None or current.password_hash != user.password_hash:
                raise Unauthenticated(WRONG)
            token, expires_at = self._sessions.open(uow, user.login)
            return LoginView(
                token=token, expires_at=to_datetime(expires_at), role=role_name(current.role)
            )

        return self._store.write(job)

    def _verified(self, login: str, password: str) -> User:
        self._attempts.begin(login)
        user = self._store.read(lambda uow: uow.users.get(login))
        try:
            right = self._passwords.verify(user.password_hash if user else None, password)
        except Busy:
            self._attempts.withdrawn(login)
            raise
        if user is None or not right:
            raise Unauthenticated(WRONG)
        self._attempts.succeeded(login)
        return user

    def logout(self, token: str) -> None:
        self._sessions.end(token)

    def authenticate(self, token: str) -> Principal:
        """Who the token stands for; Unauthenticated. Cheap enough for every request."""
        return self._sessions.principal(token)

    # --- users ---

    def create(self, who: Principal, body: UserBody, *, key: str | None = None) -> UserView:
        """Conflict when the login is taken."""
        require(who, Role.ADMIN)
        now = self._clock.now()
        user = self._user(body, now)
        what = Once.of(who.login, key, f"user {body.login}", _public(body)) if key else None
        return self._store.write(lambda uow: _create(uow, user, what, now))

    def create_first(self, body: UserBody) -> bool:
        """For set-up: make this admin unless there is any user; whether it was made."""
        user = self._user(body, self._clock.now())

        def job(uow: UnitOfWork) -> bool:
            if uow.users.list():
                return False
            uow.users.add(user)
            return True

        return self._store.write(job)

    def list(self, who: Principal, *, after: str | None, limit: int) -> ListView[UserView]:
        """By login."""
        require(who, Role.ADMIN)
        return listed(lambda: self._store.read(lambda uow: uow.users.page(after, limit)), user_view)

    def show(self, who: Principal, login: str) -> UserView:
        """Admins see everybody, others themselves."""
        _require_self_or_admin(who, login)
        return user_view(self._store.read(lambda uow: _get(uow, login)))

    def change(
        self, who: Principal, login: str, body: PatchUserBody, *, token: str | None = None
    ) -> UserView:
        """A new role (admins only, and not of the last admin) or password (one's own needs the old one).

        A new password ends the login's sessions but the one of `token`.
        """
        _require_self_or_admin(who, login)
        if body.role is not None:
            require(who, Role.ADMIN)
        password_hash = self._new_password(who, login, body)

        def job(uow: UnitOfWork) -> User:
            user = _get(uow, login)
            role = user.role if body.role is None else Role[body.role.upper()]
            if role < Role.ADMIN:
                _refuse_last_admin(uow, user, "demoted")
            changed = User(
                login=login,
                role=role,
                password_hash=password_hash or user.password_hash,
                created_at=user.created_at,
            )
            uow.users.save(changed)
            if password_hash:
                self._sessions.end_others(uow, login, token)
            return changed

        view = user_view(self._store.write(job))
        self._sessions.forget()
        return view

    def _new_password(self, who: Principal, login: str, body: PatchUserBody) -> str | None:
        if body.password is None:
            return None
        self._store.read(lambda uow: _get(uow, login))
        if who.login == login:
            self._check_old(login, body.old_password)
        return self._passwords.hash(body.password)

    def _check_old(self, login: str, old: str | None) -> None:
        if old is None:
            raise invalid(
                "old_password", "is missing: changing one's own password needs the old one"
            )
        try:
            self._verified(login, old)
        except Unauthenticated:
            raise Forbidden("old_password is not your password") from None

    def delete(self, who: Principal, login: str) -> None:
        """Its sessions end too. Conflict for the last admin."""
        require(who, Role.ADMIN)

        def job(uow: UnitOfWork) -> None:
            _refuse_last_admin(uow, _get(uow, login), "removed")
            uow.users.remove(login)

        self._store.write(job)
        self._sessions.forget()

    def _user(self, body: UserBody, now: int) -> User:
        return User(
            login=body.login,
            role=Role[body.role.upper()],
            password_hash=self._passwords.hash(body.password),
            created_at=now,
        )


def _create(uow: UnitOfWork, user: User, request: Once | None, now: int) -> UserView:
    def make() -> str:
        try:
            uow.users.add(user)
        except Duplicate as error:
            raise Conflict(f"there is a user {user.login} already") from error
        return user.login

    login, _ = once(uow, request, now, make)
    return user_view(_get(uow, login))


def _public(body: UserBody) -> UserBody:
    """The request without its secret, for the digest that is kept of it."""
    return UserBody(login=body.login, password="", role=body.role)


def _get(uow: UnitOfWork, login: str) -> User:
    user = uow.users.get(login)
    if user is None:
        raise NotFound(f"there is no user {login!r}")
    return user


def _require_self_or_admin(who: Principal, login: str) -> None:
    if who.login != login:
        require(who, Role.ADMIN)


def _refuse_last_admin(uow: UnitOfWork, user: User, what: str) -> None:
    admins = [u for u in uow.users.list() if u.role is Role.ADMIN]
    if user.role is Role.ADMIN and len(admins) == 1:
        raise Conflict(
            f"{user.login} is the last admin and cannot be {what}: make another one first"
        )
