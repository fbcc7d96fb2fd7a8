"""Addresses in the log."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.monitoring.address_policy import AddressPolicy


class ShowTest(SynchronousTestCase):
    """An address by itself."""

    def test_network(self) -> None:
        policy = AddressPolicy("network")
        for address, shown in (
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
            ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ):
            assert policy.show(address) == shown

    def test_others(self) -> None:
        assert AddressPolicy("full").show("192.0.2.77") == "192.0.2.77"
        assert AddressPolicy("none").show("192.0.2.77") == "an address"


class RedactTest(SynchronousTestCase):
    """Addresses within a text."""

    def test_they_are_found(self) -> None:
        for text, redacted in (
            ("from ('192.0.2.77', 4711)", "from ('192.0.2.0/24', 4711)"),
            (
                "Closed socket from ('::ffff:192.0.2.77', 4711, 0, 0)",
                "Closed socket from ('192.0.2.0/24', 4711, 0, 0)",
            ),
            ("[2001:db8:1:2::3]:443 and 192.0.2.77:443.", "[2001:db8:1::/48]:443 and 192.0.2.0/24:443."),
            ("fe80::1%eth0", "fe80::/48%eth0"),
            (
                "IPv4Address(type='TCP', host='192.0.2.77', port=1)",
                "IPv4Address(type='TCP', host='192.0.2.0/24', port=1)",
            ),
            ("banned 192.0.2.64/26, 192.0.0.0/16", "banned 192.0.2.0/24, 192.0.0.0/16"),
            ("banned 2001:db8:1:2::/64 and 2001:db8::/32", "banned 2001:db8:1::/48 and 2001:db8::/32"),
            ("http://192.0.2.77/8, 2001:db8:1:2::3/32", "http://192.0.2.0/24, 2001:db8:1::/48"),
            ("::ffff:192.0.2.77/24", "192.0.2.0/24"),
        ):
            assert AddressPolicy("network").redact(text) == redacted
            none = AddressPolicy("none").redact(text)
            assert not re.search("192|2001|fe80", none), none
            assert AddressPolicy("full").redact(text) == text

    def test_what_only_looks_like_one_stays(self) -> None:
        for text in (
            "at 12:34:56",
            "aa:bb:cc:dd:ee:ff",
            "Twisted 26.10.0, OpenSSL 4.0.3.1.2",
            "300.1.2.3",
            ":".join(["AB"] * 32),
            "module::function",
            "a: b",
        ):
            assert AddressPolicy("none").redact(text) == text
