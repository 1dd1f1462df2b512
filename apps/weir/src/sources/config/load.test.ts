import { readFileSync } from 'node:fs';
import { printPrefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import { CODES } from '../yaml/codes.ts';
import { memoryFiles } from '../yaml/memory-files.ts';
import { MAX_DIAGNOSTICS } from '../yaml/reading.ts';
import { MAX_UNKNOWN_KEYS } from '../yaml/shape.ts';
import { loadConfig, MAX_FILE_BYTES } from './load.ts';
import { loadText, printAll } from './memory-files.ts';

const BGP = 'bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64512 }] }\n';
const PEER = '{ name: core, address: 192.0.2.9, as: 64512';

function bgpWith(peers: string, rest = ''): string {
  return `bgp:\n  as: 64512\n  router_id: 192.0.2.1\n${rest}  peers:\n${peers}`;
}

/** An owned deny set with one more line in it. */
function denySet(line: string): string {
  return `${BGP}sets:\n  spammers:\n    kind: deny\n    communities: ["64512:666"]\n    nft: { table: fw, ipv4: spam }\n${line}`;
}

interface Row {
  readonly name: string;
  readonly codes: readonly (keyof typeof CODES)[];
  readonly input: string;
  readonly files?: { readonly [path: string]: string | Uint8Array };
  readonly want: string;
}

const rows: readonly Row[] = [
  {
    name: 'a password file that is not there',
    codes: ['E001'],
    input: bgpWith(`    - ${PEER}, password_file: core.key }\n`),
    want: `weir.yaml:5:67 error[E001] cannot read core.key: no such file
    - { name: core, address: 192.0.2.9, as: 64512, password_file: core.key }
                                                                  ^^^^^^^^
`,
  },
  {
    name: 'an include that is not there',
    codes: ['E001'],
    input: `include: more.yaml\n${BGP}`,
    want: `weir.yaml:1:10 error[E001] cannot read more.yaml: no such file
include: more.yaml
         ^^^^^^^^^
`,
  },
  {
    name: 'an include that is too large',
    codes: ['E002'],
    input: `include: more.yaml\n${BGP}`,
    files: { 'more.yaml': new Uint8Array(MAX_FILE_BYTES + 1).fill(0x20) },
    want: `weir.yaml:1:10 error[E002] more.yaml is larger than 1048576 bytes
include: more.yaml
         ^^^^^^^^^
`,
  },
  {
    name: 'broken YAML',
    codes: ['E003'],
    input: `${BGP}protected: [192.0.2.0/24\n`,
    want: `weir.yaml:3:1 error[E003] Flow sequence in block collection must be sufficiently indented and end with a ]
`,
  },
  {
    name: 'an alias without an anchor',
    codes: ['E003'],
    input: `${BGP}protected: *ours\n`,
    want: `weir.yaml:2:12 error[E003] alias *ours has no anchor before it
protected: *ours
           ^^^^^
`,
  },
  {
    name: 'nesting',
    codes: ['E004'],
    input: `${BGP}protected: ${'['.repeat(40)}${']'.repeat(40)}\n`,
    want: `weir.yaml:2:13 error[E008] expected a prefix, found a list
protected: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
weir.yaml:2:44 error[E004] nested deeper than 32 levels
protected: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
                                           ^^^^^^^^^^^^^^^^
`,
  },
  {
    name: 'a line without an end',
    codes: ['E031'],
    input: `${BGP}# ${'x'.repeat(17_000)}\n`,
    want: `weir.yaml:2:16385 error[E031] a line of more than 16384 characters
...${'x'.repeat(140)}...
${' '.repeat(43)}^
`,
  },
  {
    name: 'a key twice',
    codes: ['E005'],
    input: `${BGP}netns: a\nnetns: b\n`,
    want: `weir.yaml:3:1 error[E005] netns is given twice in the same mapping
netns: b
^^^^^
`,
  },
  {
    name: 'an unknown key, near a known one, is not missing as well',
    codes: ['E006'],
    input: denySet('').replace('communities', 'comunities'),
    want: `weir.yaml:5:5 error[E006] unknown key "comunities" in a set
    comunities: ["64512:666"]
    ^^^^^^^^^^
hint: did you mean communities?
`,
  },
  {
    name: 'an unknown key, near nothing',
    codes: ['E006'],
    input: denySet('    colour: red\n'),
    want: `weir.yaml:7:5 error[E006] unknown key "colour" in a set
    colour: red
    ^^^^^^
hint: the keys are kind, communities, guard, on_session_loss, on_withdraw, nft
`,
  },
  {
    name: 'missing keys point at the entry',
    codes: ['E007'],
    input: bgpWith('    - address: 192.0.2.9\n'),
    want: `weir.yaml:5:7 error[E007] name is missing in a peer
    - address: 192.0.2.9
      ^^^^^^^
weir.yaml:5:7 error[E007] as is missing in a peer
    - address: 192.0.2.9
      ^^^^^^^
`,
  },
  {
    name: 'an empty file',
    codes: ['E007'],
    input: '# nothing\n',
    want: `weir.yaml:1:1 error[E007] the file is empty: bgp is missing in the configuration
# nothing
^
`,
  },
  {
    name: 'wrong types',
    codes: ['E008'],
    input: `${bgpWith(`    - ${PEER}, passive: yes, port: "179" }\n`, '  listen: 192.0.2.1\n')}sets: [a]\nnetns: 5\nsocket: {}\nstate_directory:\n`,
    want: `weir.yaml:6:61 error[E008] expected true or false, found "yes"
    - { name: core, address: 192.0.2.9, as: 64512, passive: yes, port: "179" }
                                                            ^^^
hint: write true
weir.yaml:6:72 error[E008] expected port, a whole number, found "179"
    - { name: core, address: 192.0.2.9, as: 64512, passive: yes, port: "179" }
                                                                       ^^^^^
weir.yaml:7:7 error[E008] sets must be a mapping from names, not a list
sets: [a]
      ^^^
weir.yaml:8:8 error[E008] expected a network namespace, found the number 5
netns: 5
       ^
hint: write "5"
weir.yaml:9:9 error[E008] expected a path, found a mapping
socket: {}
        ^^
weir.yaml:10:1 error[E008] expected a directory, found nothing
state_directory:
^^^^^^^^^^^^^^^
`,
  },
  {
    name: 'words',
    codes: ['E009'],
    input: denySet('    on_withdraw: cutt\n    on_session_loss: forget\n'),
    want: `weir.yaml:7:18 error[E009] "cutt" is not what a withdrawal can do
    on_withdraw: cutt
                 ^^^^
hint: did you mean cut?
weir.yaml:8:22 error[E009] "forget" is not what session loss can do
    on_session_loss: forget
                     ^^^^^^
hint: write withdraw, hold 2m, hold long-lived or hold forever
`,
  },
  {
    name: 'ranges',
    codes: ['E010'],
    input: `${bgpWith(`    - ${PEER}, hold_time: 2, ttl_security: 255, max_prefixes: { limit: 0, warn_at: 101% } }\n`)}convergence: { settle: 2d }\n`,
    want: `weir.yaml:5:63 error[E010] hold_time must be 0 or 3-65535, not 2 (RFC 4271 section 4.2)
    - { name: core, address: 192.0.2.9, as: 64512, hold_time: 2, ttl_security: 255, max_prefixes: { limit: 0, warn_at: 101% } }
                                                              ^
weir.yaml:5:80 error[E010] ttl_security must be 1-254, not 255
    - { name: core, address: 192.0.2.9, as: 64512, hold_time: 2, ttl_security: 255, max_prefixes: { limit: 0, warn_at: 101% } }
                                                                               ^^^
weir.yaml:5:108 error[E010] limit must be 1-100000000, not 0
    - { name: core, address: 192.0.2.9, as: 64512, hold_time: 2, ttl_security: 255, max_prefixes: { limit: 0, warn_at: 101% } }
                                                                                                           ^
weir.yaml:5:120 error[E010] warn_at must be 1%-100%, not "101%"
    - { name: core, address: 192.0.2.9, as: 64512, hold_time: 2, ttl_security: 255, max_prefixes: { limit: 0, warn_at: 101% } }
                                                                                                                       ^^^^
weir.yaml:6:24 error[E010] settle must be 0s to 1d, not 2d
convergence: { settle: 2d }
                       ^^
`,
  },
  {
    name: 'lengths and router id',
    codes: ['E010'],
    input: denySet('    guard: { lengths: { ipv4: 24..33, ipv6: [64, 48] } }\n').replace('192.0.2.1,', '0.0.0.0,'),
    want: `weir.yaml:1:30 error[E010] router_id must not be 0.0.0.0 (RFC 6286)
bgp: { as: 64512, router_id: 0.0.0.0, peers: [{ name: core, address: 192.0.2.9, as: 64512 }] }
                             ^^^^^^^
weir.yaml:7:31 error[E010] not a range of IPv4 prefix lengths
    guard: { lengths: { ipv4: 24..33, ipv6: [64, 48] } }
                              ^^^^^^
hint: write a length, 24..32 or [min, max]; lengths are 0-32
weir.yaml:7:45 error[E010] not a range of IPv6 prefix lengths
    guard: { lengths: { ipv4: 24..33, ipv6: [64, 48] } }
                                            ^^^^^^^^
hint: write a length, 48..128 or [min, max]; lengths are 0-128
`,
  },
  {
    name: 'AS numbers',
    codes: ['E011'],
    input: bgpWith(
      ['0', '23456', '4294967296', '65535', '1.70000', 'x']
        .map((as, i) => `    - { name: p${i}, address: 192.0.2.1${i}, as: ${as} }\n`)
        .join(''),
    ),
    want: `weir.yaml:5:44 error[E011] AS 0 is not an AS that can speak BGP (RFC 7607)
    - { name: p0, address: 192.0.2.10, as: 0 }
                                           ^
weir.yaml:6:44 error[E011] AS 23456 only stands in for larger numbers (RFC 6793)
    - { name: p1, address: 192.0.2.11, as: 23456 }
                                           ^^^^^
weir.yaml:7:44 error[E011] not an AS number: "4294967296"
    - { name: p2, address: 192.0.2.12, as: 4294967296 }
                                           ^^^^^^^^^^
hint: write 1-4294967294, or two halves as in 64086.59905
weir.yaml:8:44 error[E011] AS 65535 is reserved (RFC 7300)
    - { name: p3, address: 192.0.2.13, as: 65535 }
                                           ^^^^^
weir.yaml:9:44 error[E011] not an AS number: "1.70000"
    - { name: p4, address: 192.0.2.14, as: 1.70000 }
                                           ^^^^^^^
hint: write 1-4294967294, or two halves as in 64086.59905
weir.yaml:10:44 error[E011] not an AS number: "x"
    - { name: p5, address: 192.0.2.15, as: x }
                                           ^
hint: write 1-4294967294, or two halves as in 64086.59905
`,
  },
  {
    name: 'an allow set without a guard',
    codes: ['E012'],
    input: `${BGP}sets:\n  web: { kind: allow, communities: "64512:80" }\n`,
    want: `weir.yaml:3:3 error[E012] guard.peers is required because the set is an allow set
  web: { kind: allow, communities: "64512:80" }
  ^^^
hint: name the peers that may open something
weir.yaml:3:3 error[E012] guard.prefixes is required because the set is an allow set
  web: { kind: allow, communities: "64512:80" }
  ^^^
hint: name the prefixes that may be opened
weir.yaml:3:3 error[E012] on_session_loss is required because the set is an allow set
  web: { kind: allow, communities: "64512:80" }
  ^^^
hint: write withdraw, hold 2m, hold long-lived or hold forever
weir.yaml:3:3 error[E012] nft is required because there is no firewall
  web: { kind: allow, communities: "64512:80" }
  ^^^
hint: name the table and sets to fill, or add a firewall: section
`,
  },
  {
    name: 'keys that peers need together',
    codes: ['E012', 'E026'],
    input: bgpWith(
      '    - { name: a, address: "fe80::1", as: 64513 }\n' +
        `    - { name: b, address: 192.0.2.2, as: 64512, passive: true, role: peer }\n` +
        `    - { name: c, address: 192.0.2.3, as: 64513, multihop: 3, ttl_security: 1, role_strict: true }\n`,
    ),
    want: `weir.yaml:5:27 error[E012] interface is required because fe80::1 is a link-local address
    - { name: a, address: "fe80::1", as: 64513 }
                          ^^^^^^^^^
weir.yaml:6:58 error[E012] bgp.listen is required because the peer is passive
    - { name: b, address: 192.0.2.2, as: 64512, passive: true, role: peer }
                                                         ^^^^
weir.yaml:6:70 error[E026] a role is for eBGP, and this session is iBGP (RFC 9234 section 4)
    - { name: b, address: 192.0.2.2, as: 64512, passive: true, role: peer }
                                                                     ^^^^
weir.yaml:7:59 error[E026] multihop and ttl_security exclude each other
    - { name: c, address: 192.0.2.3, as: 64513, multihop: 3, ttl_security: 1, role_strict: true }
                                                          ^
hint: ttl_security already states the number of hops
weir.yaml:7:92 error[E012] role is required because role_strict is true
    - { name: c, address: 192.0.2.3, as: 64513, multihop: 3, ttl_security: 1, role_strict: true }
                                                                                           ^^^^
`,
  },
  {
    name: 'addresses',
    codes: ['E013', 'E025'],
    input:
      `${bgpWith('    - { name: core, address: 192.0.2.300, as: 64512 }\n    - { name: b, address: "2001:db8::1", source: 192.0.2.1, as: 64512 }\n    - { name: m, address: 224.0.0.5, as: 64512 }\n', '  listen: [192.0.2.1:0, "2001:db8::1:x"]\n')}`.replace(
        'router_id: 192.0.2.1',
        'router_id: "2001:db8::1"',
      ),
    want: `weir.yaml:3:14 error[E025] router id must be IPv4, not 2001:db8::1
  router_id: "2001:db8::1"
             ^^^^^^^^^^^^^
weir.yaml:4:12 error[E019] not a port: "0"
  listen: [192.0.2.1:0, "2001:db8::1:x"]
           ^^^^^^^^^^^
hint: ports are 1-65535
weir.yaml:4:25 error[E013] not an address or address:port: "2001:db8::1:x"
  listen: [192.0.2.1:0, "2001:db8::1:x"]
                        ^^^^^^^^^^^^^^^
hint: write 192.0.2.1, 192.0.2.1:179 or [2001:db8::1]:179
weir.yaml:6:30 error[E013] not an IP address: "192.0.2.300"
    - { name: core, address: 192.0.2.300, as: 64512 }
                             ^^^^^^^^^^^
weir.yaml:7:50 error[E025] the source is IPv4 and the peer's address is IPv6
    - { name: b, address: "2001:db8::1", source: 192.0.2.1, as: 64512 }
                                                 ^^^^^^^^^
weir.yaml:8:27 error[E013] 224.0.0.5 is not the address of one host
    - { name: m, address: 224.0.0.5, as: 64512 }
                          ^^^^^^^^^
`,
  },
  {
    name: 'prefixes',
    codes: ['E014', 'E015'],
    input: `${BGP}protected: [203.0.113.9/24, 192.0.2.0/33, nowhere]\n`,
    want: `weir.yaml:2:13 error[E015] host bits are set in 203.0.113.9/24
protected: [203.0.113.9/24, 192.0.2.0/33, nowhere]
            ^^^^^^^^^^^^^^
hint: write 203.0.113.0/24
weir.yaml:2:29 error[E014] prefix length must be 0-32: 192.0.2.0/33
protected: [203.0.113.9/24, 192.0.2.0/33, nowhere]
                            ^^^^^^^^^^^^
weir.yaml:2:43 error[E014] not a prefix: "nowhere"
protected: [203.0.113.9/24, 192.0.2.0/33, nowhere]
                                          ^^^^^^^
`,
  },
  {
    name: 'durations',
    codes: ['E016'],
    input: `${denySet('    on_session_loss: hold 2\n')}convergence:\n  settle: 30\n  startup_hold: soon\n`,
    want: `weir.yaml:7:22 error[E016] not a duration: "2"
    on_session_loss: hold 2
                     ^^^^^^
hint: write hold 2m, hold 90s, hold long-lived or hold forever
weir.yaml:9:11 error[E016] not a duration: "30"
  settle: 30
          ^^
hint: write the unit: 30s
weir.yaml:10:17 error[E016] not a duration: "soon"
  startup_hold: soon
                ^^^^
hint: write 500ms, 90s, 2m, 1h or 1d
`,
  },
  {
    name: 'community patterns',
    codes: ['E017'],
    input: denySet('').replace('["64512:666"]', '[64512:65536, "rt:1", blackhole]'),
    want: `weir.yaml:5:19 error[E017] not a community pattern: "64512:65536"
    communities: [64512:65536, "rt:1", blackhole]
                  ^^^^^^^^^^^
hint: the fields of a standard community are 0-65535 or *
weir.yaml:5:32 error[E017] not a community pattern: "rt:1"
    communities: [64512:65536, "rt:1", blackhole]
                               ^^^^^^
hint: rt: takes an administrator and a value
`,
  },
  {
    name: 'names',
    codes: ['E018'],
    input: `${bgpWith(`    - { name: "a b", address: 192.0.2.9, as: 64512, interface: "eth0/1" }\n`)}sets:\n  Web-Allowed: { kind: deny, communities: blackhole, nft: { table: "fw;", ipv4: a } }\n`,
    want: `weir.yaml:5:15 error[E018] "a b" is not a peer name
    - { name: "a b", address: 192.0.2.9, as: 64512, interface: "eth0/1" }
              ^^^^^
hint: letters, digits, _ . and -, at most 64 characters
weir.yaml:5:64 error[E018] "eth0/1" is not an interface
    - { name: "a b", address: 192.0.2.9, as: 64512, interface: "eth0/1" }
                                                               ^^^^^^^^
hint: an interface name, at most 15 characters
weir.yaml:7:3 error[E018] "Web-Allowed" is not a set name
  Web-Allowed: { kind: deny, communities: blackhole, nft: { table: "fw;", ipv4: a } }
  ^^^^^^^^^^^
hint: small letters, digits and _, at most 64 characters
weir.yaml:7:68 error[E018] "fw;" is not an nf_tables name
  Web-Allowed: { kind: deny, communities: blackhole, nft: { table: "fw;", ipv4: a } }
                                                                   ^^^^^
hint: a letter, then letters, digits, _ . / and \\, at most 128 characters
`,
  },
  {
    name: 'ports',
    codes: ['E019', 'E026'],
    input: `${BGP}sets:
  web: { kind: allow, communities: "64512:80", guard: { peers: [core], prefixes: [192.0.2.0/24] }, on_session_loss: withdraw }
firewall:
  borders:
    - { name: in, from: eth0, to: wg0, allow: [{ set: web, ports: [0, 90-80] }, { set: web, protocol: icmp, ports: 80 }] }
`,
    want: `weir.yaml:6:68 error[E019] not a port or range of ports: "0"
    - { name: in, from: eth0, to: wg0, allow: [{ set: web, ports: [0, 90-80] }, { set: web, protocol: icmp, ports: 80 }] }
                                                                   ^
hint: write 443 or 8000-8010; ports are 1-65535
weir.yaml:6:71 error[E019] not a port or range of ports: "90-80"
    - { name: in, from: eth0, to: wg0, allow: [{ set: web, ports: [0, 90-80] }, { set: web, protocol: icmp, ports: 80 }] }
                                                                      ^^^^^
hint: write 443 or 8000-8010; ports are 1-65535
weir.yaml:6:116 error[E026] the protocol icmp has no ports
    - { name: in, from: eth0, to: wg0, allow: [{ set: web, ports: [0, 90-80] }, { set: web, protocol: icmp, ports: 80 }] }
                                                                                                                   ^^
hint: write protocol: tcp or protocol: udp
`,
  },
  {
    name: 'two peers with one name, two with one address',
    codes: ['E020', 'E021'],
    input: bgpWith(
      `    - ${PEER} }\n    - { name: core, address: 192.0.2.10, as: 64512 }\n    - { name: b, address: 192.0.2.9, as: 64513 }\n`,
    ),
    want: `weir.yaml:6:15 error[E020] peer core is already configured on line 5
    - { name: core, address: 192.0.2.10, as: 64512 }
              ^^^^
weir.yaml:7:27 error[E021] a peer with the address 192.0.2.9 is already configured on line 5
    - { name: b, address: 192.0.2.9, as: 64513 }
                          ^^^^^^^^^
`,
  },
  {
    name: 'overlapping sets',
    codes: ['E022'],
    input: `${denySet('')}  scanners: { kind: deny, communities: "64512:667", nft: { table: fw, ipv4: spam } }\n`,
    want: `weir.yaml:7:77 error[E022] inet fw spam is already filled by the set on line 6
  scanners: { kind: deny, communities: "64512:667", nft: { table: fw, ipv4: spam } }
                                                                            ^^^^
`,
  },
  {
    name: 'an unknown peer in a guard',
    codes: ['E023'],
    input: denySet('    guard: { peers: [cora, nobody] }\n'),
    want: `weir.yaml:7:22 error[E023] no peer is named cora
    guard: { peers: [cora, nobody] }
                     ^^^^
hint: did you mean core?
weir.yaml:7:28 error[E023] no peer is named nobody
    guard: { peers: [cora, nobody] }
                           ^^^^^^
`,
  },
  {
    name: 'sets in borders',
    codes: ['E020', 'E024', 'E026', 'E027', 'E028', 'W001'],
    input: `${BGP}sets:
  bad: { kind: deny, communities: blackhole }
  idle: { kind: deny, communities: blackhole }
  users: { kind: deny, communities: blackhole, nft: { table: fw, ipv4: spam } }
firewall:
  borders:
    - { name: in, from: [], to: [local, wg0], deny: [bat, users], allow: [{ set: bad }] }
    - { name: in, from: eth0, to: local }
`,
    want: `weir.yaml:4:3 warning[W001] no border uses the set "idle"
  idle: { kind: deny, communities: blackhole }
  ^^^^
weir.yaml:8:25 error[E028] expected a list with at least one interface
    - { name: in, from: [], to: [local, wg0], deny: [bat, users], allow: [{ set: bad }] }
                        ^^
weir.yaml:8:34 error[E026] local cannot be mixed with interfaces
    - { name: in, from: [], to: [local, wg0], deny: [bat, users], allow: [{ set: bad }] }
                                 ^^^^^
hint: make a border of its own for this host
weir.yaml:8:54 error[E024] no set is named bat
    - { name: in, from: [], to: [local, wg0], deny: [bat, users], allow: [{ set: bad }] }
                                                     ^^^
hint: did you mean bad?
weir.yaml:8:59 error[E026] users fills a table of the user (nft), so the owned table has no such set
    - { name: in, from: [], to: [local, wg0], deny: [bat, users], allow: [{ set: bad }] }
                                                          ^^^^^
hint: leave its nft out to use it here
weir.yaml:8:82 error[E027] bad is a deny set and cannot be used under allow
    - { name: in, from: [], to: [local, wg0], deny: [bat, users], allow: [{ set: bad }] }
                                                                                 ^^^
weir.yaml:9:15 error[E020] border in is already configured on line 8
    - { name: in, from: eth0, to: local }
              ^^
`,
  },
  {
    name: 'families of nf_tables sets, and the owned table',
    codes: ['E012', 'E025', 'E026'],
    input: `${BGP}sets:
  a: { kind: deny, communities: blackhole, nft: { family: ip, table: fw, ipv4: a4, ipv6: a6 } }
  b: { kind: deny, communities: blackhole, nft: { table: weir } }
firewall: {}
`,
    want: `weir.yaml:3:90 error[E025] a table of the family ip has no IPv6 sets
  a: { kind: deny, communities: blackhole, nft: { family: ip, table: fw, ipv4: a4, ipv6: a6 } }
                                                                                         ^^
weir.yaml:4:44 error[E012] ipv4 or ipv6 is required: a set of the table to fill
  b: { kind: deny, communities: blackhole, nft: { table: weir } }
                                           ^^^
weir.yaml:4:58 error[E026] inet weir is the table that Weir owns
  b: { kind: deny, communities: blackhole, nft: { table: weir } }
                                                         ^^^^
hint: leave nft out to use a set of the owned table
`,
  },
  {
    name: 'passwords',
    codes: ['E029'],
    input: bgpWith(`    - ${PEER}, password_file: core.key }\n`),
    files: { 'core.key': `${'x'.repeat(81)}\n` },
    want: `weir.yaml:5:67 error[E029] the first line of core.key must have 1-80 bytes, and has 81
    - { name: core, address: 192.0.2.9, as: 64512, password_file: core.key }
                                                                  ^^^^^^^^
`,
  },
  {
    name: 'values in two files, and an include in an include',
    codes: ['E026', 'E030'],
    input: `include: more.yaml\n${BGP}netns: a\n`,
    files: { 'more.yaml': 'include: x.yaml\nnetns: b\nbgp: { as: 64513 }\nsets: []\n' },
    want: `more.yaml:1:1 error[E026] an included file cannot include others
include: x.yaml
^^^^^^^
more.yaml:2:1 error[E030] netns is already given at weir.yaml:3
netns: b
^^^^^
more.yaml:3:8 error[E030] bgp.as is already given at weir.yaml:2
bgp: { as: 64513 }
       ^^
more.yaml:4:7 error[E008] sets must be a mapping from names, not a list
sets: []
      ^^
`,
  },
  {
    name: 'guards that let nothing in',
    codes: ['E026', 'W003'],
    input: `${denySet('    guard: { prefixes: [203.0.113.0/24, 198.51.100.0/30], lengths: { ipv4: 8..24 } }\n')}protected: [203.0.113.0/24]\nfirewall: {}\n`,
    want: `weir.yaml:7:25 warning[W003] this prefix is protected, so the set can never have a member in it
    guard: { prefixes: [203.0.113.0/24, 198.51.100.0/30], lengths: { ipv4: 8..24 } }
                        ^^^^^^^^^^^^^^
weir.yaml:7:41 error[E026] nothing in this prefix has a length of 8..24, as guard.lengths asks
    guard: { prefixes: [203.0.113.0/24, 198.51.100.0/30], lengths: { ipv4: 8..24 } }
                                        ^^^^^^^^^^^^^^^
`,
  },
  {
    name: 'a long line is cut around the place, control characters do not reach the terminal',
    codes: ['E006'],
    input: `${BGP}convergence: { ${'settle: 5s, '.repeat(1)}"\\e[31mred": 1${' '.repeat(200)} }\n"a\tb": 1\n`,
    want: `weir.yaml:2:28 error[E006] unknown key "\\u001b[31mred" in convergence
convergence: { settle: 5s, "\\e[31mred": 1${' '.repeat(99)}...
                           ^^^^^^^^^^^
hint: the keys are settle, settle_without_restart, startup_hold
weir.yaml:3:1 error[E006] unknown key "a\\tb" in the configuration
"a b": 1
^^^^^
hint: the keys are include, bgp, sets, firewall, policy, ebpf, flowspec, blackholes, distribute, feeds, cumulus, observe, exabgp, protected, convergence, state_directory, socket, netns, tenants
`,
  },
];

describe('diagnostics, exactly as they are printed', () => {
  for (const row of rows) {
    test(row.name, () => {
      const loaded = loadText(row.input, row.files);
      expect(printAll(loaded)).toBe(row.want);
      for (const code of row.codes) expect(loaded.diagnostics.map((d) => d.code)).toContain(code);
      expect(loaded.config === undefined).toBe(loaded.diagnostics.some((d) => d.severity === 'error'));
    });
  }

  test('a password file that others can read', () => {
    const text = bgpWith(`    - ${PEER}, password_file: core.key }\n`);
    const loaded = loadConfig(
      '/etc/weir/weir.yaml',
      memoryFiles({ '/etc/weir/weir.yaml': text, '/etc/weir/core.key': 'secret\n' }, 0o100644),
    );
    expect(printAll(loaded)).toBe(`/etc/weir/weir.yaml:5:67 warning[W002] /etc/weir/core.key can be read by others than its owner
    - { name: core, address: 192.0.2.9, as: 64512, password_file: core.key }
                                                                  ^^^^^^^^
hint: chmod 600 /etc/weir/core.key
`);
    expect(loaded.config?.bgp.peers[0]?.password).toBe('secret');
  });

  test('a file that is not there', () => {
    expect(printAll(loadConfig('weir.yaml', memoryFiles({})))).toBe('weir.yaml:1:1 error[E001] cannot read weir.yaml: no such file\n');
  });

  test('every code has a row, but for those that only policies have', () => {
    const covered = new Set([...rows.flatMap((row) => row.codes), 'W002']);
    const own = Object.keys(CODES).filter((code) => code <= 'E031' || (code >= 'W' && code <= 'W003'));
    expect(own.filter((code) => !covered.has(code as keyof typeof CODES))).toEqual([]);
  });

  test('of very many unknown keys the first are listed', () => {
    const loaded = loadText(`${BGP}${Array.from({ length: 5000 }, (_, i) => `k${i}: 1\n`).join('')}`);
    expect(loaded.diagnostics).toHaveLength(MAX_UNKNOWN_KEYS + 1);
    expect(loaded.diagnostics.at(-1)?.message).toBe('4980 further keys of the configuration are unknown');
  });

  test('a limit on how many are kept', () => {
    const loaded = loadText(`${BGP}protected: [${'x, '.repeat(2 * MAX_DIAGNOSTICS)}]\n`);
    expect(loaded.diagnostics).toHaveLength(MAX_DIAGNOSTICS);
    expect(loaded.config).toBeUndefined();
  });

  test('all files together are bounded', () => {
    const names = Array.from({ length: 6 }, (_, i) => `f${i}.yaml`);
    const large = `# ${'x'.repeat(1021)}\n`.repeat(MAX_FILE_BYTES / 1024);
    const loaded = loadText(`include: [${names.join(', ')}]\n${BGP}`, Object.fromEntries(names.map((name) => [name, large])));
    expect(loaded.diagnostics.map((d) => [d.code, d.span.column])).toEqual([
      ['E002', 38],
      ['E002', 47],
      ['E002', 56],
    ]);
  });

  test('aliases that multiply are cut off', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 9; i++) {
      const [name, inner] = [String.fromCharCode(97 + i), String.fromCharCode(96 + i)];
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${inner}`).join(', ')}]`);
    }
    const loaded = loadText(`${BGP}${bomb.join('\n')}\n`);
    expect(loaded.diagnostics.some((d) => d.code === 'E004')).toBe(true);
    expect(loadText(`${BGP}a: &a [*a]\n`).diagnostics.some((d) => d.code === 'E004')).toBe(true);
    expect(loadText(`${BGP}a: ${'['.repeat(100_000)}\n`).config).toBeUndefined();
  });
});

describe('what a configuration becomes', () => {
  test('the documented example loads as it stands', () => {
    const text = readFileSync(new URL('../../../../../examples/core.yaml', import.meta.url), 'utf8');
    const loaded = loadText(text);
    expect(printAll(loaded)).toBe('');
    const config = loaded.config;
    expect(config?.bgp.peers[0]).toMatchObject({
      name: 'core',
      port: 179,
      localAs: 64512,
      holdTime: 90,
      restartTime: 120,
      extendedMessage: true,
    });
    expect(config?.sets[0]).toMatchObject({
      name: 'web_allowed',
      kind: 'allow',
      communities: [{ kind: 'standard', fields: [64512, 80] }],
      onSessionLoss: { kind: 'hold', ms: 120_000 },
      onWithdraw: 'keep',
      target: { kind: 'user', family: 'inet', table: 'core_fw', ipv4: 'web_allowed_v4', ipv6: 'web_allowed_v6' },
      guard: { peers: ['core'], lengths: { 4: { min: 8, max: 32 }, 6: { min: 16, max: 128 } }, maxMembers: 10_000 },
    });
    expect(config?.sets[0]?.guard.prefixes?.map(printPrefix)).toEqual(['203.0.113.0/24', '2001:db8::/32']);
    expect(config?.convergence).toEqual({ settle: 30_000, settleWithoutRestart: 10_000, startupHold: 300_000 });
    expect([config?.stateDirectory, config?.socket]).toEqual(['/var/lib/weir', '/run/weir/weir.sock']);
  });

  test('defaults', () => {
    const config = loadText(denySet('')).config;
    expect(config?.sets[0]?.onSessionLoss).toEqual({ kind: 'hold-forever' });
    expect(config?.sets[0]?.guard).toMatchObject({
      peers: undefined,
      prefixes: undefined,
      maxMembers: 1_000_000,
      churn: { rate: 50_000, burst: 1_000_000 },
    });
    expect(config?.bgp.peers[0]?.families).toEqual(['ipv4 unicast', 'ipv6 unicast']);
    expect(config?.bgp.listen).toEqual([]);
  });

  test('an owned firewall', () => {
    const config = loadText(`${BGP}sets:
  web: { kind: allow, communities: "64512:80", guard: { peers: [core], prefixes: [192.0.2.0/24] }, on_session_loss: withdraw }
firewall:
  base: { dhcp_client: false }
  borders:
    - { name: in, from: eth*, to: local, allow: [{ set: web, ports: [80, 8000-8010] }], default: accept }
`).config;
    expect(config?.sets[0]?.target).toEqual({ kind: 'owned' });
    expect(config?.firewall).toMatchObject({
      table: 'weir',
      base: { loopback: true, dhcpClient: false },
      borders: [
        {
          name: 'in',
          from: ['eth*'],
          to: 'local',
          default: 'accept',
          established: true,
          allow: [
            {
              set: 'web',
              protocol: 'tcp',
              ports: [
                { from: 80, to: 80 },
                { from: 8000, to: 8010 },
              ],
              span: { line: 7, column: 57 },
            },
          ],
        },
      ],
    });
  });

  test('includes join peers, sets, borders and protected prefixes', () => {
    const loaded = loadConfig(
      '/etc/weir/weir.yaml',
      memoryFiles({
        '/etc/weir/weir.yaml': `include: policy.d/*.yaml\n${BGP}`,
        '/etc/weir/policy.d/10-a.yaml': 'bgp: { peers: [{ name: edge, address: 192.0.2.10, as: 64513 }] }\n',
        '/etc/weir/policy.d/20-b.yaml':
          'sets: { s: { kind: deny, communities: blackhole, guard: { peers: [edge] }, nft: { table: fw, ipv4: s } } }\nprotected: [192.0.2.0/24]\n',
        '/etc/weir/policy.d/.hidden.yaml': 'nonsense\n',
        '/etc/weir/policy.d/README': 'nonsense\n',
      }),
    );
    expect(printAll(loaded)).toBe('');
    expect(loaded.config?.bgp.peers.map((p) => p.name)).toEqual(['core', 'edge']);
    expect(loaded.config?.sets[0]?.span.file).toBe('/etc/weir/policy.d/20-b.yaml');
    expect(loaded.config?.protected.map(printPrefix)).toEqual(['192.0.2.0/24']);
  });

  test('aliases repeat values', () => {
    const config = loadText(
      `${BGP}protected: &ours [192.0.2.0/24]\nsets: { s: { kind: deny, communities: blackhole, guard: { prefixes: *ours }, nft: { table: fw, ipv4: s } } }\n`,
    ).config;
    expect(config?.sets[0]?.guard.prefixes?.map(printPrefix)).toEqual(['192.0.2.0/24']);
  });

  test('asdot AS numbers are not floats', () => {
    expect(loadText(BGP.replace('bgp: { as: 64512', 'bgp: { as: 64086.59900')).config?.bgp.as).toBe(64086 * 65536 + 59900);
  });
});
