import { printProgram } from '@weir/ebpf/asm';
import { describe, expect, test } from 'vitest';
import type { Action, HookRules, Rule } from '../../../model/rule.ts';
import { writtenRule } from '../../test-rule.ts';
import { compileEbpf } from '../compile-rules.ts';

const rule = (ref: string, text: string, action?: Action, log = false): Rule => writtenRule(ref, text, action, { log });

const CLASSIFIED = { from: 1, leastUses: 1 };

function compiled(...rules: readonly Rule[]) {
  const hook: HookRules = { hook: 'prerouting', priority: 0, rules };
  const result = compileEbpf(hook, { place: 'tc', classifier: CLASSIFIED });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  return result.compiled;
}

const WEB = rule('web', 'ip.src in {192.0.2.0/24} and tcp.dstport == 80');

describe('programs of classifiers', () => {
  test('a small one, as bpftool would print it', async () => {
    const { program } = compiled(WEB, rule('rest', 'ip.src in {192.0.2.0/24}', { kind: 'deny' }));
    await expect(`${[...printProgram(program)].join('\n')}\n`).toMatchFileSnapshot('golden/classifier.txt');
  });

  test('are of one size, however many rules there are, but for the depth of trees', () => {
    const many = (count: number) => compiled(...Array.from({ length: count }, (_, i) => rule(`r${i}`, `tcp.dstport == ${i + 1}`)));
    expect(many(3000).program.words.length).toBe(many(2000).program.words.length);
  });

  test('code that rules share is written once', () => {
    const asks = (count: number) =>
      Array.from({ length: count }, (_, i) => rule(`r${i}`, `tcp.dstport == ${i} and bit_slice(tcp, 0, 9) == 7`));
    expect(compiled(...asks(20)).program.words.length).toBe(compiled(...asks(10)).program.words.length);
  });

  test.each([
    {
      name: 'what code cannot ask',
      rules: [WEB, rule('bad', 'tcp.dstport == 1 and meta.mark == 1')],
      refused: ['bad'],
    },
  ])('refuses $name', ({ rules, refused }) => {
    const result = compileEbpf({ hook: 'prerouting', priority: 0, rules }, { place: 'xdp', classifier: CLASSIFIED });
    expect('refusals' in result && result.refusals.map((one) => one.rule)).toEqual(refused);
  });

  test.each([
    { name: 'no field tells them apart', rules: [rule('all', 'ip.ttl >= 0 or not ip.ttl >= 0')] },
    {
      name: 'code asks for a mark that a rule sets',
      rules: [rule('m', 'tcp.dstport == 1', { kind: 'mark', mark: 1 }), rule('r', 'tcp.dstport == 2 and meta.mark == 1')],
    },
    {
      name: 'there is too much different code',
      rules: Array.from({ length: 64 }, (_, i) => rule(`r${i}`, `tcp.dstport == 1 and bit_slice(tcp, 0, 32) == ${i}`)),
    },
  ])('rules stay in order where $name', ({ rules }) => {
    expect(compiled(...rules).maps.some(({ symbol }) => symbol === 'entries')).toBe(false);
  });
});
