import { interval, packetExpr as x } from '@weir/filter/ir';
import { expect, test } from 'vitest';
import type { Config } from '../model/config.ts';
import type { Policy, PolicyRule } from '../model/policy.ts';
import { type NewRules, PolicyReceiver, PolicySender } from './policy-transfer.ts';

const FIELDS = {
  source_cidrs: ['192.0.2.0/24'],
  destination_cidrs: [],
  source_ports: [],
  destination_ports: [],
  protocol: 'tcp',
  in_interface: [],
  out_interface: [],
  state: [],
  expression: undefined,
};

const rule = (ref: string, port: number, line: number, file = 'a.yaml'): PolicyRule => ({
  ref,
  name: ref,
  description: 'for people',
  hooks: ['xdp'],
  priority: 1000,
  expression: x.int('tcp.dstport', interval(port, port)),
  text: `tcp.dstport == ${port}`,
  action: { kind: 'deny' },
  log: false,
  audit: false,
  enabled: true,
  until: undefined,
  fields: FIELDS,
  span: { file, line, column: 3, length: 10 },
});

const policy = (...rules: readonly PolicyRule[]): Policy => ({
  files: ['a.yaml', 'b.yaml'],
  defaultAction: 'deny',
  defaultSpan: undefined,
  defaultAudit: false,
  generatedAt: undefined,
  rules,
});

/** Two sides, and how many rules go from one to the other. */
class Wire {
  readonly #sender = new PolicySender();
  readonly #receiver = new PolicyReceiver();
  sent = 0;
  broken = false;

  async pass(rules: readonly PolicyRule[]): Promise<readonly PolicyRule[]> {
    const parts = await this.#sender.send(policy(...rules), async (piece: NewRules) => {
      if (this.broken) throw new Error('the line is cut');
      this.sent += piece.rules.length;
      this.#receiver.take(structuredClone(piece));
    });
    const config = { policy: policy() } as unknown as Config;
    return this.#receiver.put(config, structuredClone(parts)).policy?.rules ?? [];
  }
}

/** What the other side has of a rule. */
const passed = (one: PolicyRule): PolicyRule => ({
  ...one,
  description: undefined,
  fields: { ...FIELDS, source_cidrs: [], protocol: '' },
});

const many = (count: number, line = 1): PolicyRule[] => Array.from({ length: count }, (_, i) => rule(`r${i}`, i, i + line));

test('rules go once, and come out in their order', async () => {
  const wire = new Wire();
  const first = await wire.pass(many(300));
  expect([first, wire.sent]).toEqual([many(300).map(passed), 300]);
  const again = await wire.pass(many(300));
  expect([again.every((one, i) => one === first[i]), wire.sent]).toEqual([true, 300]);
});

test('a rule that is put in between goes alone; the others stand elsewhere and keep their expressions', async () => {
  const wire = new Wire();
  const first = await wire.pass(many(300));
  const lower = many(300, 2);
  const next = [
    ...lower.slice(0, 150).map((one, i) => ({ ...one, span: first[i]?.span ?? one.span })),
    rule('new', 9, 151),
    ...lower.slice(150),
  ];
  const second = await wire.pass(next);
  expect([second, wire.sent]).toEqual([next.map(passed), 301]);
  expect(second.slice(0, 150).every((one, i) => one === first[i])).toBe(true);
  expect(second.slice(151).every((one, i) => one.expression === first[150 + i]?.expression)).toBe(true);
});

test.each([
  { name: 'another expression', input: rule('r7', 99, 8) },
  { name: 'another action', input: { ...rule('r7', 7, 8), action: { kind: 'allow' } } as const },
  { name: 'another text alone', input: { ...rule('r7', 7, 8), text: '$list' } },
  { name: 'disabled', input: { ...rule('r7', 7, 8), enabled: false } },
])('a rule that is changed goes again: $name', async ({ input }) => {
  const wire = new Wire();
  await wire.pass(many(20));
  const rules = many(20).map((one) => (one.ref === input.ref ? input : one));
  expect([await wire.pass(rules), wire.sent]).toEqual([rules.map(passed), 21]);
});

test('what did not get through goes again', async () => {
  const wire = new Wire();
  await wire.pass(many(20));
  wire.broken = true;
  await expect(wire.pass([...many(20), rule('new', 1, 40)])).rejects.toThrow('cut');
  wire.broken = false;
  const rules = [...many(20), rule('new', 1, 40, 'b.yaml')];
  expect(await wire.pass(rules)).toEqual(rules.map(passed));
});
