import { describe, expect, it } from 'vitest';
import { parseFlow, printFlowProblem } from './parse.ts';
import { printFlow } from './print.ts';

/** What BIRD 2.0.12 shows of a route that it was given as the text before; where it differs from ours, ours is what BIRD reads in turn. */
const ACCEPTED: readonly (readonly [input: string, want: string])[] = [
  [
    'flow4 { dst 203.0.113.0/24; proto 17; dport > 24 && < 30 || 40..50; tcp flags 0x03/0x0f; fragment !is_fragment; }',
    'flow4 { dst 203.0.113.0/24; proto 17; dport > 24 && < 30 || 40..50; tcp flags 0x3/0x3 && 0x0/0xc; fragment !is_fragment; }',
  ],
  ['flow4 { }', 'flow4 { }'],
  ['flow4{proto 17;dport 53}', 'flow4 { proto 17; dport 53; }'],
  [
    'flow4 { src 10.0.0.0/8; proto = 6 || = 17; port 80,443; sport != 5; }',
    'flow4 { src 10.0.0.0/8; proto 6,17; port 80,443; sport != 5; }',
  ],
  [
    'flow4 { icmp type 8; icmp code 0; length 1500..2000; dscp 46; fragment dont_fragment || is_fragment && !first_fragment; }',
    'flow4 { icmp type 8; icmp code 0; length 1500..2000; dscp 46; fragment dont_fragment || is_fragment && !first_fragment; }',
  ],
  ['flow4 { tcp flags !0x12/0x12; }', 'flow4 { tcp flags !0x12/0x12; }'],
  ['flow4 { tcp flags 0/0x12; }', 'flow4 { tcp flags 0x0/0x12; }'],
  ['flow4 { tcp flags !0/0x12; }', 'flow4 { tcp flags !0x0/0x12; }'],
  ['flow4 { tcp flags 0x02/0x12 || 0x10/0x10 && 0x1/0x1; }', 'flow4 { tcp flags 0x2/0x2 && 0x0/0x10 || 0x10/0x10 && 0x1/0x1; }'],
  ['flow4 { tcp flags 0x12/0x12, 0x1/0x1; }', 'flow4 { tcp flags 0x12/0x12 && 0x1/0x1; }'],
  ['flow4 { tcp flags 1/1; tcp flags 2/2; }', 'flow4 { tcp flags 0x1/0x1 || 0x2/0x2; }'],
  ['flow4 { dport true 5 && > 3; }', 'flow4 { dport true 5 && > 3; }'],
  ['flow4 { dport 1,2,3..5 || > 7; }', 'flow4 { dport 1,2,3..5 || > 7; }'],
  ['flow4 { dport 1; dst 10.0.0.0/8; dport 2; }', 'flow4 { dst 10.0.0.0/8; dport 1,2; }'],
  ['flow4 { dport >= 4 && <= 6 || = 8; }', 'flow4 { dport 4..6,8; }'],
  ['flow4 { dport 40..50 && != 45; }', 'flow4 { dport 40..50 && != 45; }'],
  ['flow4 { dport 1,2 && > 2; }', 'flow4 { dport 1,2 && > 2; }'],
  ['flow4 { dport <= 5 || >= 7 && < 9; }', 'flow4 { dport <= 5 || >= 7 && < 9; }'],
  ['flow4 { dport = 1 && = 2; }', 'flow4 { dport 1 && = 2; }'],
  ['flow4 { dport 0x50; }', 'flow4 { dport 80; }'],
  ['flow4 { next header 6; }', 'flow4 { proto 6; }'],
  ['flow6 { proto 6; }', 'flow6 { next header 6; }'],
  [
    'flow6 { dst 2001:db8::/32; src ::1234:5678:9a00:0/104 offset 64; next header 6; }',
    'flow6 { dst 2001:db8::/32; src ::1234:5678:9a00:0/104 offset 64; next header 6; }',
  ],
  ['flow6 { dst 2001:db8::/32 offset 8; label 0x10..0x20; }', 'flow6 { dst 1:db8::/32 offset 8; label 16..32; }'],
  ['flow6 { dst ::/0 offset 0; }', 'flow6 { dst ::/0; }'],
  ['flow4 { rd 64512:1; dst 10.0.0.1; }', 'flow4 { rd 64512:1; dst 10.0.0.1/32; }'],
  ['flow6 { rd 0.64512:1; }', 'flow6 { rd 0.64512:1; }'],
  ['flow4 { fragment 0x4/0xc; }', 'flow4 { fragment first_fragment && !last_fragment; }'],
];

const REFUSED: readonly (readonly [input: string, problem: string])[] = [
  ['', '1:1: a rule begins with "flow4 {" or "flow6 {"\n\n^'],
  ['flow5 { }', '1:1: a rule begins with "flow4 {" or "flow6 {"\nflow5 { }\n^^^^^'],
  ['flow4 dst', '1:7: expected "{", not "dst"\nflow4 dst\n      ^^^'],
  ['flow4 { dst 10.0.0.0/8', '1:23: expected ";", but the text ends\nflow4 { dst 10.0.0.0/8\n                      ^'],
  ['flow4 { } }', '1:11: expected nothing behind the rule, not "}"\nflow4 { } }\n          ^'],
  [
    'flow4 { dst 10.0.0.1/8; }',
    '1:13: host bits are set in 10.0.0.1/8; the prefix is 10.0.0.0/8\nflow4 { dst 10.0.0.1/8; }\n            ^^^^^^^^^^',
  ],
  ['flow4 { dst 2001:db8::/32; }', '1:13: an IPv6 prefix in a rule for IPv4\nflow4 { dst 2001:db8::/32; }\n            ^^^^^^^^^^^^^'],
  [
    'flow4 { dst 10.0.0.0/8; dst 11.0.0.0/8; }',
    '1:25: dst is given twice\nflow4 { dst 10.0.0.0/8; dst 11.0.0.0/8; }\n                        ^^^',
  ],
  [
    'flow4 { dst 10.0.0.0/8 offset 4; }',
    '1:24: a prefix of IPv4 has no offset\nflow4 { dst 10.0.0.0/8 offset 4; }\n                       ^^^^^^^^',
  ],
  ['flow4 { label 5; }', '1:9: IPv4 has no flow label\nflow4 { label 5; }\n        ^^^^^'],
  ['flow4 { dport 65536; }', '1:15: dport is 0-65535\nflow4 { dport 65536; }\n              ^^^^^'],
  ['flow4 { dport 1 && 2; }', '1:20: expected a comparison such as "> 1024", not "2"\nflow4 { dport 1 && 2; }\n                   ^'],
  ['flow4 { dport > 5,1; }', '1:18: expected ";", not ","\nflow4 { dport > 5,1; }\n                 ^'],
  ['flow4 { dport 40..; }', '1:19: expected the last number of the range, not ";"\nflow4 { dport 40..; }\n                  ^'],
  ['flow4 { tcp 0x2; }', '1:13: expected the rest of "tcp ...", not "0x2"\nflow4 { tcp 0x2; }\n            ^^^'],
  ['flow4 { tcp flags !3/0xf; }', '1:19: with "!" the value is 0 or the mask\nflow4 { tcp flags !3/0xf; }\n                  ^^^^^^'],
  [
    'flow4 { tcp flags 0xff/0x0f; }',
    '1:19: value 0xff is outside of the mask 0xf\nflow4 { tcp flags 0xff/0x0f; }\n                  ^^^^^^^^^',
  ],
  ['flow6 {\n  fragment dont_fragment;\n}', '2:12: IPv6 has no "do not fragment"\n  fragment dont_fragment;\n           ^^^^^^^^^^^^^'],
  ['flow6 { fragment 3/3; }', '1:18: IPv6 has no bits 0x1\nflow6 { fragment 3/3; }\n                 ^^^'],
  [
    'flow6 { dst 2001:db8::/32 offset 32; }',
    '1:27: offset 32 is not below the length of 2001:db8::/32\nflow6 { dst 2001:db8::/32 offset 32; }\n                          ^^^^^^^^^',
  ],
  [
    'flow4 { rd 64512; }',
    '1:12: not a route distinguisher: write 64512:1, 192.0.2.1:1 or 0x and 16 digits\nflow4 { rd 64512; }\n           ^^^^^',
  ],
  ['flow4 { dport\u001b 1; }', '1:14: expected a comparison such as "> 1024", not "␛"\nflow4 { dport␛ 1; }\n             ^'],
];

describe('parseFlow', () => {
  it.each(ACCEPTED)('%s', (input, want) => {
    const result = parseFlow(input);
    expect(result.ok ? printFlow(result.rule) : printFlowProblem(input, result.problem)).toBe(want);
  });

  it.each(REFUSED)('refuses %j', (input, want) => {
    const result = parseFlow(input);
    expect(result.ok ? printFlow(result.rule) : printFlowProblem(input, result.problem)).toBe(want);
  });

  it('refuses a component that is not there, and says which are', () => {
    const result = parseFlow('flow4 { header 6; }');
    expect(!result.ok && result.problem.message).toMatch(/^no component is called "header": there are dst, src, proto, /);
  });

  it('refuses a rule that no NLRI holds', () => {
    const result = parseFlow(`flow4 { dport ${Array.from({ length: 2100 }, (_, i) => i % 200).join(',')}; }`);
    expect(!result.ok && result.problem.message).toBe('a flow specification of 4201 octets, at most 4095');
  });

  it('refuses a text that is very long', () => {
    const result = parseFlow(`flow4 { ${' '.repeat(70_000)} }`);
    expect(!result.ok && result.problem.message).toBe('a rule is at most 65536 characters long');
  });
});
