#!/usr/bin/env python3
"""What this bench compares with: reads ExaBGP's JSON and runs one iptables for each flow rule."""
import json
import subprocess
import sys


def rule(flow):
    number = lambda name: flow[name][0].lstrip("=")
    return ["-d", flow["destination-ipv4"][0], "-p", number("protocol"), "--sport", number("source-port"), "-j", "DROP"]


for line in iter(sys.stdin.readline, ""):
    try:
        message = json.loads(line)
    except ValueError:
        continue
    if message.get("type") != "update":
        continue
    update = message["neighbor"]["message"].get("update", {})
    for flows in update.get("announce", {}).get("ipv4 flow", {}).values():
        for flow in flows:
            subprocess.run(["iptables", "-t", "raw", "-I", "PREROUTING", *rule(flow)], check=False)
    for flow in update.get("withdraw", {}).get("ipv4 flow", []):
        subprocess.run(["iptables", "-t", "raw", "-D", "PREROUTING", *rule(flow)], check=False)
