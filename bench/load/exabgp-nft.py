#!/usr/bin/env python3
"""What this bench compares with: reads ExaBGP's JSON and runs one nft for each prefix."""
import json
import subprocess
import sys

SET = ["inet", "fw", "web4"]
COMMUNITY = [64512, 80]

for line in iter(sys.stdin.readline, ""):
    try:
        message = json.loads(line)
    except ValueError:
        continue
    if message.get("type") != "update":
        continue
    update = message["neighbor"]["message"].get("update", {})
    if COMMUNITY in update.get("attribute", {}).get("community", []):
        for hops in update.get("announce", {}).get("ipv4 unicast", {}).values():
            for entry in hops:
                prefix = entry["nlri"].removesuffix("/32")
                subprocess.run(["nft", "add", "element", *SET, "{ " + prefix + " }"], check=False)
    for entry in update.get("withdraw", {}).get("ipv4 unicast", []):
        prefix = entry["nlri"].removesuffix("/32")
        subprocess.run(["nft", "delete", "element", *SET, "{ " + prefix + " }"], check=False)
