"""Points in time as people say them. Pure: the present and the zone are arguments.

What is said is always the next such moment ahead; what could mean two moments is refused with what would be clear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from pulp.client.days import FORMS, WEEKDAYS, UnclearTime, named_days
from pulp.common.times import format_duration, parse_duration

_UNITS = {
    "second": "s",
    "sec": "s",
    "minute": "m",
    "min": "m",
    "hour": "h",
    "day": "d",
    "week": "w",
}

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[t ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(z|utc|[+-]\d\d:\d\d)")
_ISO_T = re.compile(r"^(\d{4}-\d\d-\d\d)t(?=\d)")
_CLOCK = re.compile(
    r"(\d{1,2}):(\d\d)(?::(\d\d))?\s?(am|pm)?(?![\w:.])|(\d{1,2})\s?(am|pm)\b|\bnoon\b"
)
_SPAN = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]+)")


def parse_moment(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """The moment ahead of `now` that `text` says, in `zone` or in the zone it names. UnclearTime otherwise."""
    try:
        return _moment(text, now.astimezone(UTC), zone).astimezone(zone)
    except OverflowError:
        raise UnclearTime(text, "it is beyond the year 9999") from None


def _moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """`now` is in UTC and so is all arithmetic: within a zone Python reckons by the clock on the wall."""
    said = " ".join(text.lower().replace(",", " ").split())
    if _RFC3339.fullmatch(said):
        return _ahead(text, _rfc3339(text, said), now)
    if said.startswith("in "):
        return now + timedelta(milliseconds=span(text, said[3:]))
    said = _ISO_T.sub(r"\1 ", said)
    if said.endswith((" utc", " z")):
        said, zone = said.rsplit(" ", 1)[0], UTC
    clock, day = _split(text, said)
    wanted = _Wanted(text, clock, now, zone)
    return wanted.first(named_days(text, day, now.astimezone(zone).date()), day)


def describe(moment: datetime, zone: tzinfo) -> str:
    """`Tuesday 2026-12-01 12:00:00 CET (2026-12-01T11:00:00Z)`."""
    local = moment.astimezone(zone)
    return f"{WEEKDAYS[local.weekday()]} {local:%Y-%m-%d %H:%M:%S %Z} ({in_utc(moment)})"


def in_utc(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(text: str, said: str) -> int:
    """`10m`, `1h30m`, `2 hours` → ms."""
    parts = _SPAN.findall(said)
    short = "".join(n + _UNITS.get(u.rstrip("s") or u, u) for n, u in parts)
    if not _SPAN.sub("", said).strip():
        said = short
    try:
        return parse_duration(said)
    except ValueError as error:
        raise UnclearTime(text, str(error)) from None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A time of day that is looked for on one day after another."""

    text: str
    clock: time
    now: datetime
    zone: tzinfo

    def first(self, days: Iterator[date], day: str) -> datetime:
        """The first of `days` on which it is still ahead."""
        for candidate in days:
            moment = self._on(candidate)
            if moment is not None:
                return moment
        raise UnclearTime(
            self.text, f"{day} {self.clock:%H:%M} is past already; it is {self._now()}"
        )

    def _on(self, day: date) -> datetime | None:
        """None when it is past there. A moment that the clocks jump over or pass twice is refused, not guessed."""
        naive = datetime.combine(day, self.clock)
        readings = local_readings(naive, self.zone)
        if not readings:
            return self._jumped_over(naive)
        ahead = [m for m in readings if m > self.now]
        if len(ahead) > 1:
            raise UnclearTime(
                self.text,
                f"{naive:%Y-%m-%d %H:%M} comes twice, as the clocks go back then: "
                f"write {self._rfc(ahead[0])} for the first or {self._rfc(ahead[1])} for the second",
            )
        return ahead[0] if ahead else None

    def _jumped_over(self, naive: datetime) -> datetime | None:
        after, before = (
            naive.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1)
        )
        if after <= self.now:
            return None
        raise UnclearTime(
            self.text,
            f"{naive:%Y-%m-%d %H:%M} does not exist, as the clocks go forward over it: "
            f"write {self._rfc(before)} or {self._rfc(after)}",
        )

    def _rfc(self, moment: datetime) -> str:
        return moment.astimezone(self.zone).isoformat(timespec="seconds")

    def _now(self) -> str:
        return f"{self.now.astimezone(self.zone):%Y-%m-%d %H:%M %Z}"


def local_readings(naive: datetime, zone: tzinfo) -> list[datetime]:
    """The real moments at which a clock in `zone` shows this: one, none (jumped over) or two (passed twice), in order, in UTC."""
    readings: list[datetime] = []
    for fold in (0, 1):
        moment = naive.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None, fold=0) != naive:
            continue
        if moment not in readings:
            readings.append(moment)
    return sorted(readings)


def _ahead(text: str, moment: datetime, now: datetime) -> datetime:
    if moment <= now:
        ago = format_duration(int((now - moment).total_seconds()) * 1000)
        raise UnclearTime(text, f"it is past already, by {ago}")
    return moment


def _rfc3339(text: str, said: str) -> datetime:
    clock = said[11:].replace(" ", "").replace("utc", "z")
    try:
        return datetime.fromisoformat(f"{said[:10]}t{clock}".upper())
    except ValueError:
        try:
            date.fromisoformat(said[:10])
        except ValueError as error:
            raise UnclearTime(text, f"{said[:10]} is no day of the calendar ({error})") from None
        raise UnclearTime(text, FORMS) from None


def _split(text: str, said: str) -> tuple[time, str]:
    """The time of day and the words that name the day."""
    found = _CLOCK.search(said)
    if found is None:
        raise UnclearTime(text, _no_clock(said))
    day = " ".join((said[: found.start()] + " " + said[found.end() :]).split())
    day = " ".join(word for word in day.split() if word not in ("at", "on"))
    return _clock(text, found), day


def _no_clock(said: str) -> str:
    if "midnight" in said:
        return "midnight belongs to two days: write 00:00 with the day that it begins"
    if said.isdigit():
        return f"{said} could be a day or an hour: {FORMS}"
    try:
        known = not said or next(named_days(said, said, date(2026, 1, 1)), None) is not None
    except UnclearTime as error:
        return str(error).partition(": ")[2]
    return "it names no time of day: add one, as in 'tuesday 12:00'" if known else FORMS


def _clock(text: str, found: re.Match[str]) -> time:
    hour, minute, second, half, short_hour, short_half = found.groups()
    if hour is None and short_hour is None:
        return time(12)
    hours, half = int(hour or short_hour), half or short_half
    if half:
        if hours == 12:
            raise UnclearTime(text, "12 am and 12 pm are read in two ways: write 00:00 or 12:00")
        if not 1 <= hours <= 11:
            raise UnclearTime(text, f"{hours} {half} is no hour")
        hours += 12 if half == "pm" else 0
    try:
        return time(hours, int(minute or 0), int(second or 0))
    except ValueError:
        raise UnclearTime(
            text, f"{found[0].strip()} is no time of day (00:00 to 23:59:59)"
        ) from None
