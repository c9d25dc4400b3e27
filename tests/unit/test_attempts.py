"""Who tried too often has to wait, and only they."""

from __future__ import annotations

from ledgerline.operations.attempts import Attempts


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_too_many_failures_have_to_wait() -> None:
    clock = Clock()
    attempts = Attempts(clock, limit=3, window=60)
    for second in range(3):
        assert attempts.wait("10.0.0.1") == 0
        clock.now += second
        attempts.failed("10.0.0.1")
    assert attempts.wait("10.0.0.1") == 57
    assert attempts.wait("10.0.0.2") == 0
    clock.now += 57
    assert attempts.wait("10.0.0.1") == 0
    attempts.failed("10.0.0.1")
    assert attempts.wait("10.0.0.1") > 0


def test_a_network_of_ipv6_is_one_address() -> None:
    attempts = Attempts(Clock(), limit=1)
    attempts.failed("2001:db8::1")
    assert attempts.wait("2001:db8::ffff")
    assert not attempts.wait("2001:db8:0:1::1")
    attempts.failed("::ffff:10.0.0.1")
    assert attempts.wait("10.0.0.1")


def test_what_is_no_address_counts_as_it_stands() -> None:
    attempts = Attempts(Clock(), limit=1)
    attempts.failed("unix socket")
    assert attempts.wait("unix socket")
    assert not attempts.wait("")


def test_memory_is_bounded() -> None:
    attempts = Attempts(Clock(), limit=1, remembered=100)
    for number in range(1_000):
        attempts.failed(f"10.0.{number // 250}.{number % 250}")
    assert len(attempts._failures) == 100
    assert attempts.wait("10.0.3.249")
