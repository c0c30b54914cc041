"""Which addresses of the network a webhook may be sent to: those of the open internet, and others that are allowed by name."""

import ipaddress
import socket
from collections.abc import Callable, Sequence

from effects.channel import NotSent
from language import tr

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the IP addresses of a host. It raises OSError where there are none."""
_HAS_IPV4_INSIDE = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""What a translator sends on to the IPv4 address in the last 32 bits."""


def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the system finds them."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def address_of(host: str, port: int, allowed: Sequence[str], resolve: Resolve) -> str:
    """Return the address that is to be connected to; the host is looked up once.

    Raises:
        NotSent: it has none, or one that is not of the open internet, and neither it nor the host is allowed.

    """
    try:
        found = resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise NotSent(tr("{host} is not found: {error}", host=host, error=error), try_again=True) from None
    if not found:
        raise NotSent(tr("{host} is not found: {error}", host=host, error=tr("it has no address")), try_again=True)
    for one in found:
        if host not in allowed and one not in allowed and not is_open(one):
            raise NotSent(
                tr(
                    "{host} is at {address}, which is not of the open internet: name it under allow if it is meant",
                    host=host,
                    address=one,
                ),
                try_again=True,
            )
    return found[0]


def is_open(address: str) -> bool:
    """Say whether an IP address is one of the open internet, and holds none inside that is not.

    >>> [is_open(one) for one in ("93.184.216.34", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::a00:1")]
    [True, False, False, False]
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inside = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if any(ip in network for network in _HAS_IPV4_INSIDE) or int(ip) >> 32 == 0:
            inside.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        hidden = [one for one in inside if one is not None]
        if any(not one.is_global or one.is_multicast for one in hidden):
            return False
        if ip.ipv4_mapped is not None:
            return True
    return ip.is_global and not ip.is_multicast
