"""What is sealed can be read with the key, and with no other."""

from app.outside.seal import seal, unseal


def test_sealed_text_comes_back() -> None:
    assert unseal(seal("https://机器人/key", "a key"), "a key") == "https://机器人/key"


def test_sealed_text_shows_nothing_and_differs_each_time() -> None:
    one, other = seal("secret", "a key"), seal("secret", "a key")
    assert "secret" not in one
    assert one != other


def test_another_key_or_damage_reads_nothing() -> None:
    sealed = seal("secret", "a key")
    assert unseal(sealed, "another") is None
    assert unseal(sealed[:-4] + "AAAA", "a key") is None
    assert unseal("不是", "a key") is None
