"""The frozen facts a scan is decided on, and the values a decision is made of.

Only shapes live here; what follows from them is decided in `routing`, `targeting` and `capacity`. All times are aware
UTC; `zone` is the panel's time zone, in which windows and daily capacities are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import StrEnum

from app.rules.regions import Place


class Mode(StrEnum):
    SEQUENTIAL = "sequential"
    ROUND_ROBIN = "round_robin"
    RANDOM = "random"


class RegionPolicy(StrEnum):
    PREFER = "prefer"
    STRICT = "strict"
    NEAREST = "nearest"


class ClosedPolicy(StrEnum):
    BY_PRESS = "by_press"
    REASSIGN = "reassign"
    HOLD = "hold"
    FALLBACK = "fallback"


class ChoicePolicy(StrEnum):
    ONE = "one"
    CHANGE_ONCE = "change_once"
    SEVERAL = "several"


class MemberState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    RESERVE = "reserve"
    ARCHIVED = "archived"


class LiveCodeState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    ARCHIVED = "archived"


class Outcome(StrEnum):
    ASSIGNED = "assigned"
    RETURNING = "returning"
    HELD = "held"
    ELSEWHERE = "elsewhere"
    CHOOSE = "choose"
    FALLBACK = "fallback"
    FULL = "full"
    UNAVAILABLE = "unavailable"
    PAUSED = "paused"
    NOT_STARTED = "not_started"
    ENDED = "ended"
    PREVIEW = "preview"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Window:
    """Open on these days (1 = Monday) from `from_minute` up to, not including, `to_minute` of the local day."""

    days: frozenset[int]
    from_minute: int
    to_minute: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member with its current version. `counted_from` names the count its seats go into (see `Candidate`)."""

    id: int
    kind: str
    is_group: bool
    position: int
    generation: int = 1
    counted_from: int = 1
    headcount: int = 0
    choice_id: int | None = None
    name: str | None = None
    state: MemberState = MemberState.ACTIVE
    is_fallback: bool = False
    capacity: int | None = None
    daily_capacity: int | None = None
    weight: int = 1
    regions: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    valid_from: datetime | None = None
    expires_at: datetime | None = None
    suspect_at: datetime | None = None
    version: int | None = 1
    target_url: str | None = None
    image: str | None = None
    opens_by_itself: bool = False
    latitude: float | None = None
    longitude: float | None = None
    radius_m: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    id: int
    title: str
    position: int
    description: str = ""
    tag: str | None = None
    mode: Mode = Mode.SEQUENTIAL
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    text: str = ""
    phone: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One live code as it stood at `version`; never changed, replaced as a whole."""

    id: int
    slug: str
    version: int
    owner_id: int
    zone: tzinfo
    title: str = ""
    notice: str = ""
    contact: Contact = field(default_factory=Contact)
    kind: str = "simple"
    mode: Mode = Mode.SEQUENTIAL
    region_policy: RegionPolicy = RegionPolicy.PREFER
    open: str = "page"
    choice_policy: ChoicePolicy = ChoicePolicy.ONE
    on_closed_member: ClosedPolicy = ClosedPolicy.BY_PRESS
    unpressed_seat_hours: int = 48
    dedupe_group: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    state: LiveCodeState = LiveCodeState.ACTIVE
    pinned_member_id: int | None = None
    asks_city: bool = False
    colour: str | None = None
    cover: str | None = None
    members: tuple[Member, ...] = ()
    choices: tuple[Choice, ...] = ()
    placements: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_grouped(self) -> bool:
        return self.kind == "grouped"

    def member(self, member_id: int | None) -> Member | None:
        return next((m for m in self.members if m.id == member_id), None)

    def choice(self, choice_id: int | None) -> Choice | None:
        return next((c for c in self.choices if c.id == choice_id), None)


@dataclass(frozen=True, slots=True)
class Seat:
    """Visitor V holds a member in a scope. `counted`: false once it has lapsed unpressed (`capacity.lapses_before`)."""

    live_code_id: int
    member_id: int
    generation: int
    taken_at: datetime
    choice_id: int | None = None
    pressed_at: datetime | None = None
    counted: bool = True
    changes: int = 0


class Rank(StrEnum):
    """Why a tier stands where it stands; the claim's trace and the event carry it."""

    PIN = "pin"
    ACTIVE = "active"
    RESERVE = "reserve"
    SUSPECT = "suspect"
    LAST_RESORT = "last_resort"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member somebody may be sent to, if the ledger finds room.

    Seats are counted per (member, counted_from): a headcount or a new group starts the next count, so nothing has to
    be reset. `limit` is how many seats that count may hold (capacity less headcount), `daily_limit` how many a local
    day. `version` is the member's current one.
    """

    member_id: int
    generation: int
    counted_from: int
    limit: int | None
    daily_limit: int | None
    weight: int
    lapses: bool
    is_reserve: bool = False
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Seats of one (member, counted_from): live ones now, presses of the generation, seats taken on `day` so far."""

    counted: int = 0
    pressed: int = 0
    day: date | None = None
    taken: int = 0

    def taken_on(self, day: date) -> int:
        return self.taken if self.day == day else 0


@dataclass(frozen=True, slots=True)
class Turns:
    """Round-robin state of one tier: assignments served by member id, and the virtual time (served, weight) reached."""

    served: Mapping[int, int] = field(default_factory=dict)
    reached: tuple[int, int] = (0, 1)


@dataclass(frozen=True, slots=True)
class Tier:
    """Candidates among which the mode decides. `key` names the turn state of a round robin over exactly this set."""

    rank: Rank
    mode: Mode
    candidates: tuple[Candidate, ...]
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a new visitor's scan that does not depend on who has room; good until `good_until`.

    `keep` holds the members whose seats stand as they are: usable ones of the same generation, even when full, out of
    region or out of window. `opens_at` is the next opening when members are only closed by their windows.
    """

    live_code_id: int
    version: int
    tiers: tuple[Tier, ...]
    keep: Mapping[int, Candidate]
    made_at: datetime
    good_until: datetime | None
    opens_at: datetime | None

    def keeps(self, member_id: int, generation: int) -> bool:
        kept = self.keep.get(member_id)
        return kept is not None and kept.generation == generation

    def stands_at(self, now: datetime) -> bool:
        return self.made_at <= now and (self.good_until is None or now < self.good_until)


class Reason(StrEnum):
    """Why a member is not eligible: the words of the trace."""

    ARCHIVED = "archived"
    DISABLED = "disabled"
    NO_CODE = "no_code"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    FALLBACK = "fallback"
    OTHER_CHOICE = "other_choice"
    OTHER_PLACE = "other_place"
    NOT_MATCHED = "not_matched"
    TOO_FAR = "too_far"
    CLOSED_NOW = "closed_now"
    RESERVE = "reserve"
    SUSPECT = "suspect"
    FULL = "full"
    DAILY_FULL = "daily_full"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Trace:
    member_id: int
    eligible: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """No member is shown. `opens_at` is set where there is a moment to come back at."""

    outcome: Outcome
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a scan is answered with. `place` is where the visitor was taken to be."""

    outcome: Outcome
    member: Member | None = None
    choice: Choice | None = None
    place: Place | None = None
    opens_at: datetime | None = None
