import { describe, expect, test } from 'vitest';
import { CODES } from '../yaml/codes.ts';
import { memoryFiles } from '../yaml/memory-files.ts';
import { MAX_DIAGNOSTICS } from '../yaml/reading.ts';
import { loadPolicy, MAX_POLICY_FILE_BYTES, MAX_RULES } from './load.ts';
import { loadTexts, printAll } from './memory-policy.ts';

const RULES = 'default_action: deny\nrules:\n';

interface Row {
  readonly name: string;
  readonly codes: readonly (keyof typeof CODES)[];
  readonly input: string;
  readonly files?: { readonly [path: string]: string | Uint8Array };
  readonly sets?: readonly string[];
  readonly want: string;
}

const rows: readonly Row[] = [
  {
    name: 'a file that is not there',
    codes: ['E001'],
    input: `include: more.yaml
${RULES}  - name: web
    destination_ports: 80
    action: allow
`,
    want: `policy.yaml:1:10 error[E001] cannot read more.yaml: no such file
include: more.yaml
         ^^^^^^^^^
`,
  },
  {
    name: 'too large an include',
    codes: ['E002'],
    input: `include: more.yaml
${RULES}  - name: web
    destination_ports: 80
    action: allow
`,
    files: { 'more.yaml': new Uint8Array(MAX_POLICY_FILE_BYTES + 1).fill(0x20) },
    want: `policy.yaml:1:10 error[E002] more.yaml is larger than 16777216 bytes
include: more.yaml
         ^^^^^^^^^
`,
  },
  {
    name: 'broken YAML',
    codes: ['E003'],
    input: `rules: [{ name: a
`,
    want: `policy.yaml:1:11 error[E007] action is missing in a rule
rules: [{ name: a
          ^^^^
policy.yaml:2:1 error[E003] Flow map in block collection must be sufficiently indented and end with a }
policy.yaml:2:1 error[E003] Flow sequence in block collection must be sufficiently indented and end with a ]
`,
  },
  {
    name: 'a second document, whose rules would be lost',
    codes: ['E003'],
    input: `${RULES}  - name: web
    destination_ports: 80
    action: allow
---
rules: []
`,
    want: `policy.yaml:6:1 error[E003] a second document begins here; a file holds one
---
^
`,
  },
  {
    name: 'a key twice',
    codes: ['E005'],
    input: `${RULES}  - name: web
    action: allow
    protocol: tcp
    action: deny
`,
    want: `policy.yaml:6:5 error[E005] action is given twice in the same mapping
    action: deny
    ^^^^^^
`,
  },
  {
    name: 'an unknown key, near a known one',
    codes: ['E006'],
    input: `${RULES}  - name: web
    source_cidr: 192.0.2.0/24
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:4:5 error[E006] unknown key "source_cidr" in a rule
    source_cidr: 192.0.2.0/24
    ^^^^^^^^^^^
hint: did you mean source_cidrs?
`,
  },
  {
    name: 'a rule without a name and without an action',
    codes: ['E007'],
    input: `${RULES}  - protocol: tcp
`,
    want: `policy.yaml:3:5 error[E007] name is missing in a rule
  - protocol: tcp
    ^^^^^^^^
policy.yaml:3:5 error[E007] action is missing in a rule
  - protocol: tcp
    ^^^^^^^^
`,
  },
  {
    name: 'values of the wrong type',
    codes: ['E008'],
    input: `${RULES}  - name: web
    log: yes
    priority: high
    expression: 5
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:4:10 error[E008] expected true or false, found "yes"
    log: yes
         ^^^
hint: write true
policy.yaml:5:15 error[E008] expected priority, a whole number, found "high"
    priority: high
              ^^^^
policy.yaml:6:17 error[E008] expected an expression, found 5
    expression: 5
                ^
`,
  },
  {
    name: 'words that are none',
    codes: ['E009'],
    input: `${RULES}  - name: web
    hook: inptu
    protocol: tcpp
    state: [open]
    action: drop
    reject_with: rst
`,
    want: `policy.yaml:4:11 error[E009] "inptu" is not a hook
    hook: inptu
          ^^^^^
hint: did you mean input?
policy.yaml:5:15 error[E009] "tcpp" is not a protocol
    protocol: tcpp
              ^^^^
hint: did you mean tcp?
policy.yaml:6:13 error[E009] "open" is not a state
    state: [open]
            ^^^^
hint: it is one of new, established, related, invalid
policy.yaml:7:13 error[E009] "drop" is not an action
    action: drop
            ^^^^
hint: it is one of allow, deny, reject, rate_limit, log, mark, skip
policy.yaml:8:18 error[E009] "rst" is not an answer
    reject_with: rst
                 ^^^
hint: it is one of port-unreachable, admin-prohibited, tcp-reset
`,
  },
  {
    name: 'numbers out of range',
    codes: ['E010'],
    input: `${RULES}  - name: web
    priority: 70000
    mark: 4294967296
    action: mark
    protocol: tcp
`,
    want: `policy.yaml:4:15 error[E010] priority must be 0-65535, not 70000
    priority: 70000
              ^^^^^
policy.yaml:5:11 error[E010] mark must be 0-4294967295, not 4294967296
    mark: 4294967296
          ^^^^^^^^^^
`,
  },
  {
    name: 'what is counted together',
    codes: ['E009'],
    input: `${RULES}  - name: web
    protocol: tcp
    action: rate_limit
    rate_limit_pps: 5
    rate_limit_per: sorce
  - name: web-2
    protocol: tcp
    action: rate_limit
    rate_limit_pps: 5
    rate_limit_per: source/24/129
`,
    want: `policy.yaml:7:21 error[E009] "sorce" is not what is counted together
    rate_limit_per: sorce
                    ^^^^^
hint: did you mean source?
policy.yaml:12:21 error[E009] "source/24/129" is not what is counted together
    rate_limit_per: source/24/129
                    ^^^^^^^^^^^^^
hint: it is one of rule, source, destination, process, cgroup; source/24/48 counts by 24 bits of IPv4 addresses and 48 of IPv6
`,
  },
  {
    name: 'a rate of nothing',
    codes: ['E010'],
    input: `${RULES}  - name: web
    protocol: tcp
    action: rate_limit
    rate_limit_pps: 0
`,
    want: `policy.yaml:6:21 error[E010] rate_limit_pps must be at least 1
    rate_limit_pps: 0
                    ^
hint: action: deny lets nothing through
`,
  },
  {
    name: 'rate_limit without a rate',
    codes: ['E012'],
    input: `${RULES}  - name: web
    protocol: tcp
    action: rate_limit
`,
    want: `policy.yaml:5:13 error[E012] rate_limit_pps is required when action is rate_limit
    action: rate_limit
            ^^^^^^^^^^
hint: or rate_limit_bps, in bytes a second
`,
  },
  {
    name: 'mark without a mark',
    codes: ['E012'],
    input: `${RULES}  - name: web
    protocol: tcp
    action: mark
`,
    want: `policy.yaml:5:13 error[E012] mark is required when action is mark
    action: mark
            ^^^^
`,
  },
  {
    name: 'prefixes that are none',
    codes: ['E014'],
    input: `${RULES}  - name: web
    source_cidrs: [192.0.2.0/33, 192.0.2, "2001:db8::/129"]
    action: allow
`,
    want: `policy.yaml:4:20 error[E014] prefix length must be 0-32: 192.0.2.0/33
    source_cidrs: [192.0.2.0/33, 192.0.2, "2001:db8::/129"]
                   ^^^^^^^^^^^^
policy.yaml:4:34 error[E014] not a prefix: "192.0.2"
    source_cidrs: [192.0.2.0/33, 192.0.2, "2001:db8::/129"]
                                 ^^^^^^^
policy.yaml:4:43 error[E014] prefix length must be 0-128: 2001:db8::/129
    source_cidrs: [192.0.2.0/33, 192.0.2, "2001:db8::/129"]
                                          ^^^^^^^^^^^^^^^^
`,
  },
  {
    name: 'names that are none',
    codes: ['E018'],
    input: `lists: { Admins: [192.0.2.1] }
${RULES}  - name: web
    ref: "a b"
    in_interface: "eth0:1"
    source_cidrs: $Admins
    action: allow
`,
    want: `policy.yaml:1:10 error[E018] "Admins" is not a name for a list
lists: { Admins: [192.0.2.1] }
         ^^^^^^
hint: small letters, digits and _, in parts divided by dots, at most 64 characters
policy.yaml:5:10 error[E018] "a b" is not a ref
    ref: "a b"
         ^^^^^
hint: letters, digits, _ . : / and -, at most 64 characters
policy.yaml:6:19 error[E018] "eth0:1" is not an interface
    in_interface: "eth0:1"
                  ^^^^^^^^
hint: an interface name, or the start of names and *, at most 15 characters
policy.yaml:7:19 error[E018] "$Admins" is not the name of a list or set
    source_cidrs: $Admins
                  ^^^^^^^
hint: small letters, digits and _, in parts divided by dots
`,
  },
  {
    name: 'ports that are none',
    codes: ['E019'],
    input: `${RULES}  - name: web
    protocol: tcp
    destination_ports: [http, 65536, 90-80]
    source_ports: "80,443"
    action: allow
`,
    want: `policy.yaml:5:25 error[E019] not a port or range of ports: "http"
    destination_ports: [http, 65536, 90-80]
                        ^^^^
hint: write 443 or 8000-8010; ports are 0-65535
policy.yaml:5:31 error[E019] not a port or range of ports: "65536"
    destination_ports: [http, 65536, 90-80]
                              ^^^^^
hint: write 443 or 8000-8010; ports are 0-65535
policy.yaml:5:38 error[E019] not a port or range of ports: "90-80"
    destination_ports: [http, 65536, 90-80]
                                     ^^^^^
hint: write 443 or 8000-8010; ports are 0-65535
policy.yaml:6:19 error[E019] not a port or range of ports: "80,443"
    source_ports: "80,443"
                  ^^^^^^^^
hint: write 443 or 8000-8010; ports are 0-65535
`,
  },
  {
    name: 'a name twice',
    codes: ['E020'],
    input: `${RULES}  - { name: web, protocol: tcp, action: allow }
  - { name: web, protocol: udp, action: allow }
`,
    want: `policy.yaml:4:13 error[E020] a rule is already called web on line 3
  - { name: web, protocol: udp, action: allow }
            ^^^
`,
  },
  {
    name: 'a ref twice',
    codes: ['E020'],
    input: `${RULES}  - { name: web, protocol: tcp, action: allow }
  - { name: dns, ref: web, protocol: udp, action: allow }
`,
    want: `policy.yaml:4:23 error[E020] the ref web is already used on line 3
  - { name: dns, ref: web, protocol: udp, action: allow }
                      ^^^
`,
  },
  {
    name: 'a list that is already there',
    codes: ['E020'],
    input: `lists: { spammers: [192.0.2.1], a: [1] }
${RULES}  - name: web
    source_cidrs: [$spammers]
    destination_ports: $a
    action: deny
`,
    sets: ['spammers'],
    want: `policy.yaml:1:10 error[E020] $spammers is already a set of the configuration
lists: { spammers: [192.0.2.1], a: [1] }
         ^^^^^^^^
`,
  },
  {
    name: 'a file twice',
    codes: ['E020'],
    input: `include: [more.yaml, more.yaml]
${RULES}  - name: web
    protocol: tcp
    action: allow
`,
    files: { 'more.yaml': 'mode: enforce\n' },
    want: `policy.yaml:1:22 error[E020] more.yaml is already part of the policy
include: [more.yaml, more.yaml]
                     ^^^^^^^^^
`,
  },
  {
    name: 'two rates',
    codes: ['E026'],
    input: `${RULES}  - name: web
    protocol: tcp
    action: rate_limit
    rate_limit_pps: 10
    rate_limit_bps: 1000
`,
    want: `policy.yaml:7:21 error[E026] rate_limit_pps and rate_limit_bps exclude each other
    rate_limit_bps: 1000
                    ^^^^
hint: make a rule for each
`,
  },
  {
    name: 'ports of a protocol without ports',
    codes: ['E026'],
    input: `${RULES}  - name: web
    protocol: icmp
    destination_ports: [80]
    action: allow
`,
    want: `policy.yaml:5:24 error[E026] the protocol icmp has no ports
    destination_ports: [80]
                       ^^^^
hint: write protocol: tcp, udp, sctp or any
`,
  },
  {
    name: 'an include of an include',
    codes: ['E026'],
    input: `include: more.yaml
${RULES}  - name: web
    protocol: tcp
    action: allow
`,
    files: { 'more.yaml': 'include: other.yaml\n' },
    want: `more.yaml:1:10 error[E026] an included file cannot include others
include: other.yaml
         ^^^^^^^^^^
`,
  },
  {
    name: 'empty lists',
    codes: ['E028'],
    input: `${RULES}  - name: web
    source_cidrs: []
    destination_cidrs:
    hook: []
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:4:19 error[E028] expected a list with at least one prefix or $list
    source_cidrs: []
                  ^^
policy.yaml:5:5 error[E028] expected a list with at least one prefix or $list
    destination_cidrs:
    ^^^^^^^^^^^^^^^^^
policy.yaml:6:11 error[E028] expected a list with at least one of input, forward, output, prerouting, xdp, tc, connect
    hook: []
          ^^
`,
  },
  {
    name: 'an empty list of its own',
    codes: ['E028'],
    input: `lists: { none: [], nothing: }
${RULES}  - name: web
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:1:16 error[E028] expected a list with at least one member
lists: { none: [], nothing: }
               ^^
policy.yaml:1:20 error[E028] expected a list with at least one member
lists: { none: [], nothing: }
                   ^^^^^^^
`,
  },
  {
    name: 'files that disagree about the default',
    codes: ['E030'],
    input: `include: more.yaml
${RULES}  - name: web
    protocol: tcp
    action: allow
`,
    files: { 'more.yaml': 'default_action: allow\n' },
    want: `more.yaml:1:17 error[E030] default_action is already deny at policy.yaml:2
default_action: allow
                ^^^^^
`,
  },
  {
    name: 'fields and actions that the hooks of eBPF programs do not have',
    codes: ['E035', 'E049'],
    input: `${RULES}  - name: connect
    hook: connect
    source_cidrs: 192.0.2.0/24
    source_ports: 53
    in_interface: eth0
    out_interface: eth0
    state: new
    expression: 'ip.src.country == "NZ" or udp.dstport == 53'
    action: rate_limit
    rate_limit_bps: 1000
  - name: xdp
    hook: [xdp, tc]
    protocol: tcp
    out_interface: eth0
    action: reject
  - name: marks
    hook: [xdp, tc, connect]
    protocol: tcp
    action: mark
    mark: 1
  - name: allows
    hook: [xdp, tc, connect]
    protocol: udp
    action: rate_limit
    rate_limit_pps: 10
    rate_limit_per: rule
`,
    want: `policy.yaml:5:19 error[E035] source_cidrs cannot be seen at the hook connect
    source_cidrs: 192.0.2.0/24
                  ^^^^^^^^^^^^
hint: the source is not chosen yet when a process connects: write destination_cidrs, or judge the packets at output
policy.yaml:6:19 error[E035] source_ports cannot be seen at the hook connect
    source_ports: 53
                  ^^
hint: the source is not chosen yet when a process connects: write destination_ports, or judge the packets at output
policy.yaml:7:19 error[E035] in_interface cannot be seen at the hook connect
    in_interface: eth0
                  ^^^^
hint: nothing has come in when a process connects
policy.yaml:8:20 error[E035] out_interface cannot be seen at the hook connect
    out_interface: eth0
                   ^^^^
hint: the way is not chosen yet when a process connects: judge the packets at output
policy.yaml:9:12 error[E035] state cannot be seen at the hook connect
    state: new
           ^^^
hint: there is no connection yet: every one that is asked for is new
policy.yaml:10:18 error[E035] \`ip.src.country\` cannot be seen at connect; it can be at prerouting, input, forward, output, xdp and tc
    expression: 'ip.src.country == "NZ" or udp.dstport == 53'
                 ^^^^^^^^^^^^^^
hint: the source is not chosen yet when a process connects: ask for the destination, or judge the packets at output
policy.yaml:10:18 error[E041] \`ip.src.country\` needs a table of addresses and countries, and none is configured
    expression: 'ip.src.country == "NZ" or udp.dstport == 53'
                 ^^^^^^^^^^^^^^
hint: name a file in the MaxMind DB format: tables: { country: FILE, asnum: FILE }
policy.yaml:11:13 error[E049] sources cannot be counted at the hook connect
    action: rate_limit
            ^^^^^^^^^^
hint: the source is not chosen yet when a process connects: write rate_limit_per: process, cgroup, destination or rule
policy.yaml:12:21 error[E049] what is only asked for has no bytes to count at the hook connect
    rate_limit_bps: 1000
                    ^^^^
hint: write rate_limit_pps: connections a second
policy.yaml:16:20 error[E035] out_interface cannot be seen at the hook xdp
    out_interface: eth0
                   ^^^^
hint: it can at forward, output and tc
policy.yaml:17:13 error[E049] nothing can be answered at the hook xdp
    action: reject
            ^^^^^^
hint: write deny, or reject at input or forward
policy.yaml:17:13 error[E049] nothing can be answered at the hook tc
    action: reject
            ^^^^^^
hint: write deny, or reject at input or forward
policy.yaml:21:13 error[E049] a frame has no mark yet at the hook xdp
    action: mark
            ^^^^
hint: mark at tc or at prerouting
policy.yaml:21:13 error[E049] what is only asked for cannot be marked at the hook connect
    action: mark
            ^^^^
hint: mark at output
`,
  },
  {
    name: 'a hook of eBPF programs at which nothing is let through',
    codes: ['W014'],
    input: `default_action_at: { tc: allow }
${RULES}  - name: web
    hook: [input, xdp, tc]
    protocol: tcp
    destination_ports: 23
    action: deny
`,
    want: `policy.yaml:5:19 warning[W014] at xdp nothing but the base is let through: no rule there allows, and the default action is deny
    hook: [input, xdp, tc]
                  ^^^
hint: default_action_at: { xdp: allow } lets through what no rule denies
`,
  },
  {
    name: 'a protocol that is not asked about',
    codes: ['W015'],
    input: `${RULES}  - name: web
    hook: [connect, output]
    protocol: sctp
    action: allow
`,
    want: `policy.yaml:5:15 warning[W015] the kernel does not ask about sctp at the hook connect
    protocol: sctp
              ^^^^
hint: judge its packets at output or tc
`,
  },
  {
    name: 'an expression that cannot be read',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: 'tcp.dstport eq 80 und ip.ttl < 3'
    action: allow
`,
    want: `policy.yaml:4:36 error[E033] unrecognised input: expected and, or, xor or the end of the expression
    expression: 'tcp.dstport eq 80 und ip.ttl < 3'
                                   ^^^
`,
  },
  {
    name: 'an expression of fields that are not there',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: 'tcp.dport == 80'
    action: allow
`,
    want: `policy.yaml:4:18 error[E033] unknown identifier tcp.dport; did you mean tcp.dstport or tcp.srcport?
    expression: 'tcp.dport == 80'
                 ^^^^^^^^^
`,
  },
  {
    name: 'an expression of the wrong type',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: 'ip.src == 80'
    action: allow
`,
    want: `policy.yaml:4:28 error[E033] 80 is not an address
    expression: 'ip.src == 80'
                           ^^
`,
  },
  {
    name: 'host bits in an expression',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: 'ip.src in {192.0.2.1/24}'
    action: allow
`,
    want: `policy.yaml:4:29 error[E033] host bits are set in 192.0.2.1/24; the prefix is 192.0.2.0/24
    expression: 'ip.src in {192.0.2.1/24}'
                            ^^^^^^^^^^^^
`,
  },
  {
    name: 'an empty expression',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: ' '
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:4:17 error[E033] an expression is expected
    expression: ' '
                ^^^
hint: leave expression out where there is none
`,
  },
  {
    name: 'an expression on several lines: folded',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: >-
      tcp.dstport == 80
      and ip.ttl <
      seven
    action: allow
`,
    want: `policy.yaml:7:7 error[E033] expected an integer
      seven
      ^
`,
  },
  {
    name: 'an expression on several lines: kept',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: |
      tcp.dstport == 80
        and ip.ttl < 0x
    action: allow
`,
    want: `policy.yaml:6:22 error[E033] expected hex digits after 0x
        and ip.ttl < 0x
                     ^^
`,
  },
  {
    name: 'an expression on several lines: plain',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: tcp.dstport == 80
      and ip.ttl <
      seven
    action: allow
`,
    want: `policy.yaml:6:7 error[E033] expected an integer
      seven
      ^
`,
  },
  {
    name: 'an expression in single quotes',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: 'iif.name == "it''s" and nonsense'
    action: allow
`,
    want: `policy.yaml:4:42 error[E033] unknown identifier nonsense
    expression: 'iif.name == "it''s" and nonsense'
                                         ^^^^^^^^
`,
  },
  {
    name: 'an expression in double quotes',
    codes: ['E033'],
    input: `${RULES}  - name: web
    expression: "iif.name == \\"eth0\\" and\\u0020nonsense"
    action: allow
`,
    want: `policy.yaml:4:48 error[E033] unknown identifier nonsense
    expression: "iif.name == \\"eth0\\" and\\u0020nonsense"
                                               ^^^^^^^^
`,
  },
  {
    name: 'an expression behind an alias',
    codes: ['E033'],
    input: `${RULES}  - { name: a, expression: &e 'ip.ttl <', action: deny }
  - { name: b, expression: *e, action: deny }
`,
    want: `policy.yaml:3:40 error[E033] expected an integer
  - { name: a, expression: &e 'ip.ttl <', action: deny }
                                       ^
`,
  },
  {
    name: 'a costly expression',
    codes: ['E034'],
    input: `${RULES}  - name: web
    expression: 'ip.ttl < 9 and (udp.payload matches "a{990}" or udp.payload matches "b{990}" or udp.payload matches "c{990}" or udp.payload matches "d{990}" or udp.payload matches "e{990}")'
    action: deny
`,
    want: `policy.yaml:4:34 error[E034] the expression costs 4961 steps a packet, and 4096 are allowed; 4960 of them are \`udp.payload matches "a{990}" or udp.payload matches "b{99...\`
    expression: 'ip.ttl < 9 and (udp.payload matches "a{990}" or udp.payload matches "b{990}" or udp.payload matches "c{990}" or udp.payload...
                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
`,
  },
  {
    name: 'fields that a hook does not see',
    codes: ['E035'],
    input: `${RULES}  - name: web
    hook: [input, output]
    in_interface: eth0
    out_interface: eth1
    expression: 'iif.name == "eth0" and process.uid == 0'
    action: deny
`,
    want: `policy.yaml:5:19 error[E035] in_interface cannot be seen at the hook output
    in_interface: eth0
                  ^^^^
hint: it can at input, forward, prerouting, xdp and tc
policy.yaml:6:20 error[E035] out_interface cannot be seen at the hook input
    out_interface: eth1
                   ^^^^
hint: it can at forward, output and tc
policy.yaml:7:18 error[E035] \`iif.name\` cannot be seen at output; it can be at prerouting, input, forward, xdp and tc
    expression: 'iif.name == "eth0" and process.uid == 0'
                 ^^^^^^^^
policy.yaml:7:41 error[E035] \`process.uid\` cannot be seen at input; it can be at connect and output
    expression: 'iif.name == "eth0" and process.uid == 0'
                                        ^^^^^^^^^^^
`,
  },
  {
    name: 'lists that are not known',
    codes: ['E036'],
    input: `lists: { admins: [192.0.2.1] }
${RULES}  - name: web
    source_cidrs: [$admin, $admins]
    expression: 'ip.dst in $others'
    action: deny
`,
    want: `policy.yaml:5:20 error[E036] no list or set is named admin
    source_cidrs: [$admin, $admins]
                   ^^^^^^
hint: did you mean $admins?
policy.yaml:6:28 error[E036] no list or set is named others
    expression: 'ip.dst in $others'
                           ^^^^^^^
hint: the sets of the daemon are known with --config FILE
`,
  },
  {
    name: 'lists of the wrong type',
    codes: ['E037'],
    input: `lists: { admins: [192.0.2.1, 80], web: [80, 443] }
${RULES}  - name: web
    source_cidrs: [$web]
    destination_ports: [$admins]
    expression: 'ip.dst in $web'
    action: deny
`,
    want: `policy.yaml:1:30 error[E037] "80" is a number, and the first of the list is a prefix
lists: { admins: [192.0.2.1, 80], web: [80, 443] }
                             ^^
policy.yaml:5:20 error[E037] $web has numbers, and source_cidrs needs prefixes
    source_cidrs: [$web]
                   ^^^^
policy.yaml:6:25 error[E037] $admins has prefixes, and destination_ports needs numbers
    destination_ports: [$admins]
                        ^^^^^^^
policy.yaml:7:18 error[E033] \`$web\` is a list of Int, not of Ip
    expression: 'ip.dst in $web'
                 ^^^^^^^^^^^^^^
`,
  },
  {
    name: 'rules to skip to that do not come later',
    codes: ['E038'],
    input: `${RULES}  - { name: a, priority: 1, protocol: tcp, action: deny }
  - { name: b, priority: 2, protocol: tcp, action: skip, skip_to: a }
  - { name: c, priority: 2, protocol: udp, action: skip, skip_to: c }
  - { name: d, priority: 2, protocol: gre, action: skip, skip_to: eee }
  - { name: e, priority: 2, hook: [input, forward], protocol: esp, action: skip, skip_to: last }
  - { name: last, priority: 9, source_ports: 1, action: deny }
`,
    want: `policy.yaml:4:13 warning[W006] no packet reaches this rule: a on line 3 takes all that it would take
  - { name: b, priority: 2, protocol: tcp, action: skip, skip_to: a }
            ^
policy.yaml:4:67 error[E038] a is judged before this rule
  - { name: b, priority: 2, protocol: tcp, action: skip, skip_to: a }
                                                                  ^
hint: skip to a rule that is judged later
policy.yaml:5:67 error[E038] a rule cannot skip to itself
  - { name: c, priority: 2, protocol: udp, action: skip, skip_to: c }
                                                                  ^
hint: skip to a rule that is judged later
policy.yaml:6:67 error[E038] no rule has the ref eee
  - { name: d, priority: 2, protocol: gre, action: skip, skip_to: eee }
                                                                  ^^^
policy.yaml:7:91 error[E038] last does not judge at the hook forward, as this rule does
  - { name: e, priority: 2, hook: [input, forward], protocol: esp, action: skip, skip_to: last }
                                                                                          ^^^^
`,
  },
  {
    name: 'keys of other actions',
    codes: ['E039'],
    input: `${RULES}  - name: web
    protocol: tcp
    mark: 1
    skip_to: web
    reject_with: tcp-reset
    action: deny
`,
    want: `policy.yaml:5:11 error[E039] mark is for action: mark, and action is deny
    mark: 1
          ^
policy.yaml:6:14 error[E039] skip_to is for action: skip, and action is deny
    skip_to: web
             ^^^
policy.yaml:7:18 error[E039] reject_with is for action: reject, and action is deny
    reject_with: tcp-reset
                 ^^^^^^^^^
`,
  },
  {
    name: 'a sample of what is not logged',
    codes: ['E039'],
    input: `${RULES}  - name: web
    protocol: tcp
    log_sample: 10
    action: deny
  - name: rate
    log_rate: 0
    log: true
    action: deny
`,
    want: `policy.yaml:5:17 error[E039] log_sample is for rules that log
    log_sample: 10
                ^^
hint: write log: true
policy.yaml:8:15 error[E010] log_rate must be 1-4294967295, not 0
    log_rate: 0
              ^
`,
  },
  {
    name: 'fields that need a table',
    codes: ['E041'],
    input: `${RULES}  - name: web
    expression: 'ip.src.country == "XX"'
    action: deny
`,
    want: `policy.yaml:4:18 error[E041] \`ip.src.country\` needs a table of addresses and countries, and none is configured
    expression: 'ip.src.country == "XX"'
                 ^^^^^^^^^^^^^^
hint: name a file in the MaxMind DB format: tables: { country: FILE, asnum: FILE }
`,
  },
  {
    name: 'tables that are none, and one of two files',
    codes: ['E048', 'E001', 'E030'],
    input: `tables: { country: notes.txt, asnum: none.mmdb }
include: more.yaml
${RULES}  - { name: web, protocol: tcp, destination_ports: 80, action: allow }
`,
    files: { 'notes.txt': 'countries', 'more.yaml': 'tables: { country: other.mmdb }\nrules: []\n' },
    want: `policy.yaml:1:20 error[E048] notes.txt is not a table of countries: there is no MaxMind metadata in it
tables: { country: notes.txt, asnum: none.mmdb }
                   ^^^^^^^^^
policy.yaml:1:38 error[E001] cannot read none.mmdb: no such file
tables: { country: notes.txt, asnum: none.mmdb }
                                     ^^^^^^^^^
more.yaml:1:20 error[E030] tables.country is already notes.txt at policy.yaml:1
tables: { country: other.mmdb }
                   ^^^^^^^^^^
`,
  },
  {
    name: 'a reset for what is not TCP',
    codes: ['E042'],
    input: `${RULES}  - name: web
    destination_ports: 113
    action: reject
    reject_with: tcp-reset
`,
    want: `policy.yaml:6:18 error[E042] tcp-reset answers TCP, and this rule takes other protocols too
    reject_with: tcp-reset
                 ^^^^^^^^^
hint: write protocol: tcp
`,
  },
  {
    name: 'times that are none',
    codes: ['E043'],
    input: `${RULES}  - { name: a, until: tomorrow, protocol: tcp, action: deny }
  - { name: b, until: "2027-01-01T00:00:00", protocol: udp, action: deny }
  - { name: c, until: 2027-02-29, protocol: gre, action: deny }
`,
    want: `policy.yaml:3:23 error[E043] not a point in time: "tomorrow"
  - { name: a, until: tomorrow, protocol: tcp, action: deny }
                      ^^^^^^^^
hint: write 2026-12-01T00:00:00Z
policy.yaml:4:23 error[E043] not a point in time: "2027-01-01T00:00:00"
  - { name: b, until: "2027-01-01T00:00:00", protocol: udp, action: deny }
                      ^^^^^^^^^^^^^^^^^^^^^
hint: write the time zone: 2027-01-01T00:00:00Z
policy.yaml:5:23 error[E043] not a point in time: "2027-02-29"
  - { name: c, until: 2027-02-29, protocol: gre, action: deny }
                      ^^^^^^^^^^
hint: write 2026-12-01T00:00:00Z
`,
  },
  {
    name: 'host bits',
    codes: ['W004'],
    input: `lists: { admins: [192.0.2.1/24] }
${RULES}  - name: web
    source_cidrs: ["2001:db8::1/32", $admins]
    action: deny
`,
    want: `policy.yaml:1:19 warning[W004] host bits are set in 192.0.2.1/24; it counts as 192.0.2.0/24
lists: { admins: [192.0.2.1/24] }
                  ^^^^^^^^^^^^
hint: write 192.0.2.0/24
policy.yaml:5:20 warning[W004] host bits are set in 2001:db8::1/32; it counts as 2001:db8::/32
    source_cidrs: ["2001:db8::1/32", $admins]
                   ^^^^^^^^^^^^^^^^
hint: write 2001:db8::/32
`,
  },
  {
    name: 'rules that allow everything',
    codes: ['W005'],
    input: `${RULES}  - { name: all, priority: 4, hook: output, action: allow }
  - { name: all4, priority: 1, source_cidrs: 0.0.0.0/0, action: allow }
  - { name: all6, priority: 2, destination_cidrs: ["::/0"], action: allow }
  - { name: both, priority: 3, hook: forward, source_cidrs: ["::/0", 0.0.0.0/0], action: allow }
`,
    want: `policy.yaml:3:13 warning[W005] this rule allows everything
  - { name: all, priority: 4, hook: output, action: allow }
            ^^^
hint: say for what it is: sources, ports, an interface
policy.yaml:4:13 warning[W005] this rule allows everything of IPv4
  - { name: all4, priority: 1, source_cidrs: 0.0.0.0/0, action: allow }
            ^^^^
hint: say for what it is: sources, ports, an interface
policy.yaml:5:13 warning[W005] this rule allows everything of IPv6
  - { name: all6, priority: 2, destination_cidrs: ["::/0"], action: allow }
            ^^^^
hint: say for what it is: sources, ports, an interface
policy.yaml:6:13 warning[W005] this rule allows everything
  - { name: both, priority: 3, hook: forward, source_cidrs: ["::/0", 0.0.0.0/0], action: allow }
            ^^^^
hint: say for what it is: sources, ports, an interface
`,
  },
  {
    name: 'rules that no packet reaches',
    codes: ['W006'],
    input: `${RULES}  - { name: drop-tcp, priority: 1, protocol: tcp, state: new, action: deny }
  - { name: same, priority: 2, protocol: tcp, state: new, action: allow }
  - { name: narrower, priority: 3, protocol: tcp, state: new, source_cidrs: 192.0.2.0/24, action: allow }
  - { name: other-hook, priority: 3, hook: [input, forward], protocol: tcp, state: new, action: deny }
  - { name: wider, priority: 4, protocol: tcp, action: allow }
`,
    want: `policy.yaml:4:13 warning[W006] no packet reaches this rule: drop-tcp on line 3 takes all that it would take
  - { name: same, priority: 2, protocol: tcp, state: new, action: allow }
            ^^^^
policy.yaml:5:13 warning[W006] no packet reaches this rule: drop-tcp on line 3 takes all that it would take
  - { name: narrower, priority: 3, protocol: tcp, state: new, source_cidrs: 192.0.2.0/24, action: allow }
            ^^^^^^^^
`,
  },
  {
    name: 'negations that other protocols fulfil',
    codes: ['W007'],
    input: `${RULES}  - { name: a, expression: 'tcp.dstport ne 80', action: deny }
  - { name: b, protocol: tcp, expression: 'not tcp.dstport in {80 443}', action: deny }
`,
    want: `policy.yaml:3:29 warning[W007] this is true of every packet that has no \`tcp.dstport\` too; add \`ip.proto.num == 6\` if only packets of that protocol are meant
  - { name: a, expression: 'tcp.dstport ne 80', action: deny }
                            ^^^^^^^^^^^^^^^^^
`,
  },
  {
    name: 'a time that is over',
    codes: ['W008'],
    input: `${RULES}  - name: web
    until: 2019-12-31T23:59:59Z
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:4:12 warning[W008] the time of this rule is over, so it is not enforced
    until: 2019-12-31T23:59:59Z
           ^^^^^^^^^^^^^^^^^^^^
`,
  },
  {
    name: 'a rate for another action',
    codes: ['W009'],
    input: `${RULES}  - name: web
    protocol: tcp
    action: allow
    rate_limit_pps: 100
    rate_limit_bps: 0
`,
    want: `policy.yaml:6:21 warning[W009] rate_limit_pps has no effect because action is allow
    rate_limit_pps: 100
                    ^^^
`,
  },
  {
    name: 'no ports',
    codes: ['W010'],
    input: `${RULES}  - name: web
    protocol: tcp
    destination_ports: []
    source_ports: []
    action: allow
`,
    want: `policy.yaml:5:24 warning[W010] an empty destination_ports stands for every port
    destination_ports: []
                       ^^
hint: leave destination_ports out
policy.yaml:6:19 warning[W010] an empty source_ports stands for every port
    source_ports: []
                  ^^
hint: leave source_ports out
`,
  },
  {
    name: 'expressions that always or never hold',
    codes: ['W011'],
    input: `${RULES}  - { name: a, protocol: tcp, expression: 'ip.ttl < 300 or tcp.flags.syn', action: deny }
  - { name: b, expression: 'ip.ttl < 3 and ip.ttl > 9', action: deny }
  - { name: c, protocol: tcp, expression: 'ip.proto == "udp"', action: deny }
`,
    want: `policy.yaml:3:53 warning[W011] 300 is outside of \`ip.ttl\`, which is 0 to 255
  - { name: a, protocol: tcp, expression: 'ip.ttl < 300 or tcp.flags.syn', action: deny }
                                                    ^^^
policy.yaml:4:29 warning[W011] this is never true: nothing that \`ip.ttl\` can be fits all of these
  - { name: b, expression: 'ip.ttl < 3 and ip.ttl > 9', action: deny }
                            ^^^^^^^^^^^^^^^^^^^^^^^^^
policy.yaml:5:13 warning[W011] the conditions of this rule exclude each other, so it takes no packet
  - { name: c, protocol: tcp, expression: 'ip.proto == "udp"', action: deny }
            ^
`,
  },
  {
    name: 'a list that nothing uses',
    codes: ['W012'],
    input: `lists: { admins: [192.0.2.1] }
${RULES}  - name: web
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:1:10 warning[W012] nothing uses the list "admins"
lists: { admins: [192.0.2.1] }
         ^^^^^^
`,
  },
  {
    name: 'a pattern that matches nothing',
    codes: ['W013'],
    input: `include: policy.d/*.yaml
${RULES}  - name: web
    protocol: tcp
    action: allow
`,
    want: `policy.yaml:1:10 warning[W013] no file matches policy.d/*.yaml
include: policy.d/*.yaml
         ^^^^^^^^^^^^^^^
`,
  },
];

describe('diagnostics, exactly as they are printed', () => {
  for (const row of rows) {
    test(`${row.codes.join(' ')}: ${row.name}`, () => {
      const loaded = loadTexts({ 'policy.yaml': row.input, ...row.files }, row.sets);
      expect(printAll(loaded)).toBe(row.want);
      const found = new Set(loaded.diagnostics.map((d) => d.code));
      expect(row.codes.filter((code) => !found.has(code))).toEqual([]);
      expect(loaded.policy === undefined).toBe(loaded.diagnostics.some((d) => d.severity === 'error'));
    });
  }

  test('every code of a policy has a row', () => {
    // E044 is of test files, E032, E045 to E047 and E050 are of configurations, E051 is of programs, E052 of ACL files, E053 of announcements, E054 to E057 of tables of networks and feeds: their tests are there.
    const elsewhere = ['E051', 'E052', 'E053', 'E032', 'E040', 'E044', 'E045', 'E046', 'E047', 'E050', 'E054', 'E055', 'E056', 'E057'];
    const covered = new Set([...rows.flatMap((row) => row.codes), ...elsewhere]);
    const own = Object.keys(CODES).filter((code) => (code >= 'E032' && code < 'F') || code >= 'W004');
    expect(own.filter((code) => !covered.has(code as keyof typeof CODES))).toEqual([]);
  });

  test('E040: rules beyond the bound', () => {
    const rule = (i: number): string => `  - { name: r${i}, source_ports: ${i % 65536}, action: deny }\n`;
    const many = Array.from({ length: MAX_RULES + 2 }, (_, i) => rule(i)).join('');
    expect(printAll(loadTexts({ 'policy.yaml': `${RULES}${many}` }))).toBe(
      `policy.yaml:50003:5 error[E040] more than 50000 rules\n${rule(MAX_RULES)}    ${'^'.repeat(51)}\n`,
    );
  });

  test('E040: members of a list beyond the bound, and lists repeated beyond theirs', () => {
    const numbers = Array.from({ length: 50_000 }, (_, i) => `    - ${2 * i}\n`).join('');
    const many = Array.from(
      { length: 41 },
      (_, i) => `  - { name: r${i}, priority: ${i}, destination_ports: $p, protocol: udp, source_ports: ${i}, action: deny }\n`,
    );
    const repeated = loadTexts({ 'policy.yaml': `lists:\n  p:\n${numbers}${RULES}${many.join('')}` });
    expect(repeated.diagnostics.map((d) => [d.code, d.message])).toEqual([
      ['E040', 'the members of lists stand more than 2000000 times in rules'],
    ]);
    const long = `lists:\n  p:\n${'    - 1\n'.repeat(100_001)}`;
    expect(loadTexts({ 'policy.yaml': long }).diagnostics.map((d) => [d.code, d.message])).toEqual([
      ['E040', 'more than 100000 members in one list'],
    ]);
  });

  test('one mistake does not hide another, and of very many the first are kept', () => {
    const bad = Array.from({ length: 600 }, (_, i) => `  - { name: r${i}, priority: -1, action: deny }\n`).join('');
    expect(loadTexts({ 'policy.yaml': `${RULES}${bad}` }).diagnostics).toHaveLength(MAX_DIAGNOSTICS);
  });

  test('a file that is not there', () => {
    expect(printAll(loadPolicy(['policy.yaml'], memoryFiles({}), { now: 0 }))).toBe(
      'policy.yaml:1:1 error[E001] cannot read policy.yaml: no such file\n',
    );
  });
});
