"""What a visitor's cookie carries survives the way to the phone and back, and nothing else does."""

from base64 import urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st

from app.ledger import KeptSeat
from app.scan.cookie import MOST_SEATS, Kept, pack, unpack

VISITOR = urlsafe_b64encode(bytes(range(16))).rstrip(b"=").decode()

numbers = st.integers(0, 2**62)
ids = st.integers(1, 2**40)
own = st.builds(lambda seat: (f"lc:{seat.live_code_id}", seat), st.builds(KeptSeat, ids, ids, numbers, numbers))
with_choice = st.builds(lambda pair, choice: (f"{pair[0]}:c:{choice}", pair[1]), own, ids)
named = st.builds(lambda owner, name, pair: (f"g:{owner}:{name}", pair[1]), ids, st.text(max_size=50), own)
kept = st.builds(
    Kept,
    visitor=st.binary(min_size=16, max_size=16).map(lambda raw: urlsafe_b64encode(raw).rstrip(b"=").decode()),
    since_day=st.integers(0, 100_000),
    city=st.sampled_from([None, "CN/CN-GD/440100"]),
    seats=st.lists(own | with_choice | named, max_size=6).map(tuple),
)


def seat(number: int) -> KeptSeat:
    return KeptSeat(live_code_id=number, member_id=number, generation=1, epoch=1)


@given(kept)
def test_everything_comes_back_as_it_was(kept: Kept) -> None:
    assert unpack(pack(kept)) == kept


def test_a_live_codes_own_scope_costs_one_byte() -> None:
    without, with_seat = Kept(VISITOR, 20_000), Kept(VISITOR, 20_000).with_seat("lc:5", seat(5))
    assert len(pack(with_seat)) - len(pack(without)) == 5


def test_a_payload_cut_off_anywhere_reads_as_nothing_or_as_whole_seats() -> None:
    whole = Kept(VISITOR, 20_000, "CN/CN-GD").with_seat("g:1:spring", seat(300)).with_seat("lc:5:c:9", seat(5))
    payload = pack(whole)
    for length in range(len(payload)):
        found = unpack(payload[:length])
        assert found is None or found.seats == whole.seats[: len(found.seats)]


def test_another_releases_layout_reads_as_nothing() -> None:
    assert unpack(b"\x63" + pack(Kept(VISITOR, 1))[1:]) is None


def test_a_name_that_is_no_text_reads_as_nothing() -> None:
    payload = pack(Kept(VISITOR, 1).with_seat("g:1:xx", seat(1)))
    assert unpack(payload.replace(b"xx", b"\xff\xfe")) is None


def test_the_newest_seats_are_kept_and_the_oldest_fall_off() -> None:
    full = Kept(VISITOR, 1)
    for number in range(1, MOST_SEATS + 6):
        full = full.with_seat(f"lc:{number}", seat(number))
    assert [scope for scope, _ in full.seats] == [f"lc:{n}" for n in range(MOST_SEATS + 5, 5, -1)]


def test_a_seat_taken_anew_replaces_the_old_one_of_its_scope() -> None:
    twice = Kept(VISITOR, 1).with_seat("lc:1", seat(1)).with_seat("lc:2", seat(2)).with_seat("lc:1", seat(7))
    assert twice.seats == (("lc:1", seat(7)), ("lc:2", seat(2)))


def test_a_seat_given_up_is_forgotten() -> None:
    assert Kept(VISITOR, 1).with_seat("lc:1", seat(1)).with_seat("lc:1", None).seats == ()
