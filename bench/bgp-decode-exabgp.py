"""Decodes the UPDATEs on standard input with ExaBGP's own modules; prints how many prefixes, the seconds of the best of three rounds, and the version."""
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
from exabgp.version import release

negotiated = Negotiated(None)
negotiated.asn4 = True
negotiated.families = [(AFI.ipv4, SAFI.unicast), (AFI.ipv6, SAFI.unicast)]

raw = sys.stdin.buffer.read()
bodies = []
at = 0
while at < len(raw):
    (length,) = struct.unpack("!H", raw[at + 16 : at + 18])
    bodies.append(raw[at + 19 : at + length])
    at += length

best = None
for _ in range(3):
    started = time.perf_counter()
    prefixes = 0
    for body in bodies:
        prefixes += len(Update.unpack_message(body, Direction.IN, negotiated).nlris)
    seconds = time.perf_counter() - started
    best = seconds if best is None else min(best, seconds)
print(prefixes, best, release)
