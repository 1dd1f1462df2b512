import { NO_LISTS } from '@weir/filter/eval';
import type { Packet, PacketContext } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import { describe, expect, it } from 'vitest';
import { readExpression } from '../../compile/judgement/read-expression.ts';
import { testRule } from '../../compile/test-rule.ts';
import { DEFAULT_EBPF, type EbpfConfig } from '../../model/ebpf.ts';
import type { HookRules } from '../../model/rule.ts';
import { packetOf, parsePacketWords } from '../../sources/packets/index.ts';
import { explainPacket, waysAt, waysThrough } from './explain-packet.ts';

const HOOKS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc', 'connect'];
const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
const ebpf: EbpfConfig = {
  ...DEFAULT_EBPF,
  xdp: { interfaces: [{ name: 'eth0', span }], mode: 'auto', onExit: 'keep' },
  tc: { ingress: [{ name: 'eth0', span }], egress: [{ name: 'wan', span }], onExit: 'keep' },
};

const hook = (name: Hook, text = 'meta.len < 0'): HookRules => ({
  hook: name,
  priority: 0,
  rules: [testRule('one', readExpression(text, new Set()), { kind: 'deny' })],
});

function packet(words: string, context: PacketContext = {}): Packet {
  const parsed = parsePacketWords(words.split(' '));
  if (!parsed.ok) throw new Error(parsed.message);
  return packetOf(parsed.packet).withContext({ state: 'new', ...context });
}

const TCP = 'tcp 198.51.100.7:5000 192.0.2.1:443';
const named = (ways: ReturnType<typeof waysThrough>): readonly string[] =>
  ways.map((way) => way.map(({ rules, direction }) => (direction === undefined ? rules.hook : `${rules.hook} ${direction}`)).join(', '));

describe('the hooks that a packet crosses', () => {
  it.each([
    { name: 'in', input: { iif: 'eth0' }, want: ['xdp, tc ingress, prerouting, input'] },
    { name: 'in elsewhere', input: { iif: 'wan' }, want: ['prerouting, input'] },
    { name: 'through', input: { iif: 'eth0', oif: 'wan' }, want: ['xdp, tc ingress, prerouting, forward, tc egress'] },
    { name: 'out', input: { oif: 'wan', state: 'new' as const }, want: ['connect, output, tc egress'] },
    { name: 'a reply out', input: { oif: 'eth0', state: 'established' as const }, want: ['output'] },
    { name: 'somewhere', input: {}, want: ['xdp', 'tc', 'prerouting', 'input', 'forward', 'connect', 'output'] },
  ])('$name', ({ input, want }) => {
    expect(
      named(
        waysThrough(
          HOOKS.map((one) => hook(one)),
          input,
          ebpf,
        ),
      ),
    ).toEqual(want);
  });

  it.each([
    { name: 'tc of both', at: 'tc' as const, input: { iif: 'eth0', oif: 'wan' }, want: ['tc ingress, tc egress'] },
    { name: 'tc of one', at: 'tc' as const, input: { oif: 'wan' }, want: ['tc egress'] },
    { name: 'tc of none', at: 'tc' as const, input: {}, want: ['tc'] },
    { name: 'xdp', at: 'xdp' as const, input: { iif: 'eth0', oif: 'wan' }, want: ['xdp'] },
    { name: 'xdp where it is not', at: 'xdp' as const, input: { iif: 'wan' }, want: [] },
  ])('one hook: $name', ({ at, input, want }) => {
    expect(
      named(
        waysAt(
          at,
          HOOKS.map((one) => hook(one)),
          input,
          ebpf,
        ),
      ),
    ).toEqual(want);
  });
});

describe('what is seen', () => {
  const verdicts = (rules: HookRules, context: PacketContext): readonly string[] =>
    waysAt(rules.hook, [rules], context).flatMap((way) =>
      explainPacket(way, packet(TCP, context), NO_LISTS).map((one) => `${one.direction ?? one.hook} ${one.judgement.verdict}`),
    );

  it('a program of tc knows one interface', () => {
    const both = { iif: 'eth0', oif: 'wan' };
    expect(verdicts(hook('tc', 'oif.name == "wan"'), both)).toEqual(['ingress allow', 'egress deny']);
    expect(verdicts(hook('tc', 'iif.name == "eth0"'), both)).toEqual(['ingress deny']);
    expect(verdicts(hook('forward', 'iif.name == "eth0" and oif.name == "wan"'), both)).toEqual(['forward deny']);
  });

  it('a process that connects is on no interface', () => {
    expect(verdicts(hook('connect', 'oif.name == "wan"'), { oif: 'wan' })).toEqual(['connect allow']);
    expect(verdicts(hook('connect', 'process.uid == 33'), { oif: 'wan', uid: 33 })).toEqual(['connect deny']);
  });
});
