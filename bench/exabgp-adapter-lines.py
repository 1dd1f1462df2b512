"""Decodes the UPDATEs on standard input with ExaBGP's own modules and prints them as it does for its processes; on stderr the seconds of that, and the version."""
import struct
import sys
import time

sys.path.insert(0, "/usr/lib/python3/dist-packages")
from exabgp.configuration.setup import environment

environment.setup("")
from exabgp.bgp.message.direction import Direction
from exabgp.bgp.message.open.capability.negotiated import Negotiated
from exabgp.bgp.message.update import Update
from exabgp.protocol.family import AFI, SAFI
from exabgp.reactor.api.response import Response
from exabgp.version import json, release

negotiated = Negotiated(None)
negotiated.asn4 = True
negotiated.families = [(AFI.ipv4, SAFI.unicast), (AFI.ipv6, SAFI.unicast)]


class Neighbor:
    uid = "1"
    local_address = "192.0.2.254"
    peer_address = "192.0.2.2"
    local_as = 64512
    peer_as = 64513


raw = sys.stdin.buffer.read()
bodies = []
at = 0
while at < len(raw):
    (length,) = struct.unpack("!H", raw[at + 16 : at + 18])
    bodies.append(raw[at + 19 : at + length])
    at += length

encoder = Response.JSON(json)
neighbor = Neighbor()
started = time.perf_counter()
for body in bodies:
    update = Update.unpack_message(body, Direction.IN, negotiated)
    sys.stdout.write(encoder.update(neighbor, "receive", update, None, b"", b"") + "\n")
sys.stdout.flush()
print(time.perf_counter() - started, release, file=sys.stderr)
