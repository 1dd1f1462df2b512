import { buildPacket, Packet } from '@weir/filter/packet';
import { ip4 } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import { judge, UnjudgeableError } from '../../compile/interpreter/index.ts';
import { judgement, NO_PEERS } from '../../compile/judgement/index.ts';
import { compileRules } from '../../compile/nft/policy/index.ts';
import { policyFromJson, policyToJson } from './index.ts';
import { loadTexts, NOW, printAll } from './memory-policy.ts';

/** The first octets of an ELF object of eBPF. */
const OBJECT: Uint8Array = Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 247, 0]);
const OTHER: Uint8Array = Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 62, 0]);

function load(rule: string, files: Readonly<Record<string, string | Uint8Array>> = {}): ReturnType<typeof loadTexts> {
  return loadTexts({ 'policy.yaml': `default_action: allow\nrules:\n  - ${rule}\n`, ...files });
}

const PINNED = '{ name: mine, protocol: udp, bpf: /sys/fs/bpf/mine, action: deny }';
const IN_OBJECT = '{ name: mine, protocol: udp, bpf: { object: bpf/mine.o, program: mine }, action: deny }';

function hooksOf(loaded: ReturnType<typeof loadTexts>): ReturnType<typeof judgement> {
  expect(printAll(loaded)).toBe('');
  return judgement({ policy: loaded.policy, firewall: undefined, sets: [], bgp: NO_PEERS }, NOW);
}

describe('programs of the user', () => {
  test('a pinned one is asked by its path, after what nf_tables says', () => {
    const { table, problems } = compileRules(hooksOf(load(PINNED)), [], { table: 'weir' });
    expect(problems).toEqual([]);
    const rules = table.chains.flatMap((chain) => chain.rules).filter(({ name }) => name === 'mine');
    expect(rules).toMatchObject([
      { matches: [{ field: 'protocol' }, { kind: 'program', program: '/sys/fs/bpf/mine', transport: true }], verdict: { kind: 'drop' } },
    ]);
    expect(table.programs).toBeUndefined();
  });

  test('one in an object comes along with the rules', () => {
    const { table, problems } = compileRules(hooksOf(load(IN_OBJECT, { 'bpf/mine.o': OBJECT })), [], { table: 'weir' });
    expect(problems).toEqual([]);
    const object = Buffer.from(OBJECT).toString('base64');
    expect(table.programs).toMatchObject([{ kind: 'object', file: 'bpf/mine.o', program: 'mine', object }]);
    const asked = table.chains.flatMap((chain) => chain.rules).flatMap(({ matches }) => matches.filter(({ kind }) => kind === 'program'));
    expect(asked).toEqual([{ kind: 'program', program: table.programs?.[0]?.name, transport: true }]);
  });

  test('another content of the file is another program', () => {
    const names = [OBJECT, Uint8Array.from([...OBJECT, 1])].map(
      (octets) => compileRules(hooksOf(load(IN_OBJECT, { 'bpf/mine.o': octets })), [], { table: 'weir' }).table.programs?.[0]?.name,
    );
    expect(new Set(names).size).toBe(2);
  });

  test('a script of nft cannot have one', () => {
    const { problems } = compileRules(hooksOf(load(PINNED)), [], { table: 'weir', programs: 'never' });
    expect(problems).toMatchObject([{ rule: 'mine', construct: 'bpf', message: 'a script of nft cannot have a program of its own (bpf)' }]);
  });

  test('the interpreter says that it cannot tell, where a packet comes to it', () => {
    const [hook] = hooksOf(load(PINNED));
    if (!hook) throw new Error('no hook');
    const of = (kind: 'udp' | 'tcp'): Packet => {
      const transport =
        kind === 'udp'
          ? ({ kind, sourcePort: 1, destinationPort: 2 } as const)
          : ({ kind, sourcePort: 1, destinationPort: 2, flags: 2 } as const);
      return Packet.fromNetwork(buildPacket({ source: ip4(0xc0000201), destination: ip4(0xc0000202), transport }));
    };
    const lists = { has: () => false };
    expect(judge(hook, of('tcp'), { lists }).verdict).toBe('allow');
    expect(() => judge(hook, of('udp'), { lists })).toThrow(UnjudgeableError);
    expect(() => judge(hook, of('udp'), { lists })).toThrow(
      'rule mine asks a program (bpf), and what that says of a packet only the kernel can tell',
    );
  });

  test.each([{ rule: PINNED }, { rule: IN_OBJECT }])('the compiled form is read again: $rule', ({ rule }) => {
    const { policy } = load(rule, { 'bpf/mine.o': OBJECT });
    if (!policy) throw new Error('no policy');
    expect(policyFromJson(JSON.parse(JSON.stringify(policyToJson(policy))))).toEqual(policy);
  });
});

test('a rule that asks one covers no other', () => {
  const rules = [PINNED, PINNED.replace('name: mine', 'name: again')].map((rule) => `  - ${rule}\n`).join('');
  const loaded = loadTexts({ 'policy.yaml': `default_action: allow\nrules:\n${rules}` });
  expect([printAll(loaded), loaded.policy?.rules.length]).toEqual(['', 2]);
});

describe('what is no program', () => {
  test.each([
    { name: 'no object', rule: IN_OBJECT, files: { 'bpf/mine.o': OTHER }, want: 'E051] bpf/mine.o is not an ELF object of eBPF' },
    { name: 'no file', rule: IN_OBJECT, files: {}, want: 'E001] cannot read bpf/mine.o: no such file' },
    {
      name: 'no absolute path',
      rule: '{ name: a, bpf: mine, action: deny }',
      files: {},
      want: 'E010] the path of a pinned program begins with /',
    },
    { name: 'no program', rule: '{ name: a, bpf: { object: a.o }, action: deny }', files: {}, want: 'E007] program is missing in bpf' },
    { name: 'no name', rule: '{ name: a, bpf: { object: a.o, program: 1a }, action: deny }', files: {}, want: 'E010] not a program' },
    { name: 'a list', rule: '{ name: a, bpf: [/x], action: deny }', files: {}, want: 'E008] expected the path of a pinned program' },
    {
      name: 'a hook of eBPF',
      rule: '{ name: a, hook: xdp, bpf: /x, action: deny }',
      files: {},
      want: 'E035] bpf cannot be asked at the hook xdp',
    },
  ])('$name', ({ rule, files, want }) => {
    const loaded = load(rule, files);
    expect(printAll(loaded)).toContain(want);
    expect(loaded.policy).toBeUndefined();
  });
});
