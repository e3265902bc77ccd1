"""One HTTP call to an address that a person typed in: to no private machine, for ten seconds, reading little.

The name is resolved once, each of its addresses is checked, and the call goes to the address that was checked: what
the name says a moment later does not matter. No redirect is followed, no proxy of the environment is used.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

from agents.errors import DomainError
from agents.storable import storable_text

SECONDS = 10.0  # for all of it: name, connection, answer
MOST_ANSWER = 1024  # bytes that are kept of an answer
MOST_ADDRESSES = 3  # that are tried of a name
_NAT64 = IPv6Network("64:ff9b::/96")
_ASSIGNED = IPv6Network("2000::/3")  # what the internet has of IPv6; elsewhere are local and embedded addresses
_EXAMPLES = IPv6Network("3fff::/20")


class CallFailed(DomainError):
    """It could not be called."""

    code = "call_failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the beginning of the body as text."""

    code: int
    text: str
    milliseconds: int


def is_public(address: str) -> bool:
    """Is this an address of the open internet, also after what is packed into it?"""
    known = ip_address(address)
    return all(map(_is_open, _unpacked(known)))


def _is_open(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address not in _ASSIGNED or address in _EXAMPLES):
        return False
    return address.is_global and not address.is_multicast


def _unpacked(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour


async def post(url: str, body: bytes, headers: Mapping[str, str], *, is_private_allowed: bool) -> Answer:
    """Post `body`. Raises CallFailed, which says why, for anything but an answer."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(SECONDS):
            code, read = await _post(httpx.URL(url), body, headers, is_private_allowed)
    except TimeoutError:
        raise CallFailed(f"It did not answer within {SECONDS:.0f} seconds.") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError, ValueError) as error:
        raise CallFailed(f"{type(error).__name__}: {error}"[:300]) from error
    return Answer(code, storable_text(read.decode(errors="replace")), round((time.monotonic() - began) * 1000))


async def _post(url: httpx.URL, body: bytes, headers: Mapping[str, str], is_private_allowed: bool) -> tuple[int, bytes]:
    addresses = await _addresses(url, is_private_allowed)
    async with httpx.AsyncClient(
        trust_env=False, follow_redirects=False, timeout=SECONDS, verify=_certificates()
    ) as client:
        for address in addresses[:-1]:
            try:
                return await _post_to(client, address, url, body, headers)
            except httpx.ConnectError:
                continue
        return await _post_to(client, addresses[-1], url, body, headers)


async def _addresses(url: httpx.URL, is_private_allowed: bool) -> list[str]:
    """The addresses of a name that may be called. Raises CallFailed where there is none."""
    loop = asyncio.get_running_loop()
    port = url.port or (443 if url.scheme == "https" else 80)
    found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    allowed = [one for one in addresses if is_private_allowed or is_public(one)]
    if not allowed:
        raise CallFailed("This address is private: nothing is sent to machines of this network.")
    return allowed[:MOST_ADDRESSES]


async def _post_to(
    client: httpx.AsyncClient, address: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    request = client.build_request(
        "POST",
        url.copy_with(host=address),
        content=body,
        headers={**headers, "host": url.netloc.decode(), "accept-encoding": "identity", "user-agent": "Queenright"},
        extensions={"sni_hostname": url.host},
    )
    response = await client.send(request, stream=True)
    try:
        read = b""
        async for part in response.aiter_raw(MOST_ANSWER):
            read += part
            if len(read) >= MOST_ANSWER:
                break
        return response.status_code, read[:MOST_ANSWER]
    finally:
        await response.aclose()


@cache
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
