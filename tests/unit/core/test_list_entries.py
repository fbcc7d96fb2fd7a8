"""What the lines of an access list mean, and how an address is found among many networks."""

from __future__ import annotations

from ipaddress import ip_network
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from ma_signaling.core.access import BadEntry, Networks, parse_allowed, parse_denied
from tests.support.memory_hub import address


class ListTest(SynchronousTestCase):
    """One entry a line."""

    def test_comments_and_blank_lines(self) -> None:
        text = "# my homes\r\n\r\n  home-1 # the first\nMA-X7K9-P2M4\n\t\n#HOME-3\nHOME-1"
        assert parse_allowed(text) == {"HOME-1", "MA-X7K9-P2M4"}
        assert parse_allowed("") == set()

    def test_kinds_of_entries(self) -> None:
        denied = parse_denied("192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n::1\n12345678\nhome")
        assert denied.size == 6
        assert denied.remote_ids == {"12345678", "HOME"}
        for text in ("192.0.2.1", "198.51.100.255", "2001:db8:ffff::1", "::1"):
            assert text in denied.networks

    def test_bad_lines_are_named_by_number_and_never_repeated(self) -> None:
        for parse, bad, hint in (
            (parse_allowed, "SECRET ID", "is not a Remote ID"),
            (parse_allowed, "192.0.2.1", "is not a Remote ID"),
            (parse_allowed, "A" * 65, "is not a Remote ID"),
            (parse_allowed, "ABCD…1a2b3c4d", "is not a Remote ID"),
            (parse_denied, "SECRET ID", "is not a Remote ID"),
            (parse_denied, "192.0.2.300", "is not an address or network"),
            (parse_denied, "192.0.2.1/24", "nothing beyond the prefix"),
            (parse_denied, "192.0.2.0/33", "is not an address or network"),
            (parse_denied, "2001:db8::/129", "is not an address or network"),
            (parse_denied, "example.org", "is not an address or network"),
            (parse_denied, "ABCD…1a2b3c4d", "is not a Remote ID"),
            (parse_denied, "ABCD...1a2b3c4d", "is not an address or network"),
        ):
            with self.assertRaises(BadEntry) as caught:
                parse(f"FINE\r\n# a comment\r\n\f\n{bad}\r\nFINE")
            text = str(caught.exception)
            assert text.startswith(f"line 4 {hint}") or (text.startswith("line 4 ") and hint in text), text
            assert bad not in text


class NetworksTest(SynchronousTestCase):
    """Finding an address among many networks."""

    def test_edges(self) -> None:
        networks = Networks(
            map(ip_network, ("192.0.2.128/25", "10.0.0.0/8", "2001:db8:0:8::/61", "192.0.2.1"))
        )
        for inside in ("192.0.2.128", "192.0.2.255", "192.0.2.1", "10.255.255.255", "2001:db8:0:f::1"):
            assert inside in networks, inside
        for outside in (
            "192.0.2.127",
            "192.0.3.0",
            "192.0.2.2",
            "9.255.255.255",
            "11.0.0.0",
            "2001:db8:0:10::",
        ):
            assert outside not in networks, outside

    def test_everybody_of_one_version(self) -> None:
        assert "192.0.2.1" in Networks([ip_network("0.0.0.0/0")])
        assert "::1" not in Networks([ip_network("0.0.0.0/0")])
        assert "::1" in Networks([ip_network("::/0")])
        assert "0.0.0.1" not in Networks([ip_network("::/0")])

    def test_against_the_standard_library(self) -> None:
        random = Random(1)
        known = [
            ip_network((random.getrandbits(32), random.randint(4, 32)), strict=False) for _ in range(300)
        ] + [ip_network((random.getrandbits(128), random.randint(1, 128)), strict=False) for _ in range(30)]
        networks = Networks(known)
        found = 0
        for _ in range(1000):
            parsed = ip_network((random.getrandbits(32), 32)).network_address
            expected = any(parsed in network for network in known)
            assert (str(parsed) in networks) == expected
            found += expected
        for network in known:
            assert str(network.network_address) in networks
            assert str(network.broadcast_address) in networks
        assert 0 < found < 1000

    def test_ipv4_in_ipv6(self) -> None:
        """A client that comes as ::ffff:192.0.2.1 is 192.0.2.1."""
        denied = parse_denied("::ffff:192.0.2.0/120\n::ffff:198.51.100.7")
        assert address("::ffff:192.0.2.9").text in denied.networks
        assert "198.51.100.7" in denied.networks
        assert "198.51.100.8" not in denied.networks
