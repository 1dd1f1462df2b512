import { printProgram } from '@weir/ebpf/asm';
import { describe, expect, test } from 'vitest';
import type { Place } from '../../../model/ebpf-program.ts';
import type { Rule } from '../../../model/rule.ts';
import { namedSets, writtenRule } from '../../test-rule.ts';
import { compileEbpf } from '../index.ts';

const rule = (ref: string, text: string): Rule => writtenRule(ref, text, { kind: 'deny' }, {}, namedSets('web'));

function compile(place: Place, ...texts: readonly string[]) {
  const rules = texts.map((text, i) => rule(`r${i}`, text));
  return compileEbpf({ hook: 'prerouting', priority: 0, rules }, { place });
}

function compiled(place: Place, ...texts: readonly string[]) {
  const result = compile(place, ...texts);
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  return result.compiled;
}

/** The instructions of the one rule, without the slots that they are at, up to where it has decided: r9 is its number. */
function golden(text: string, place: Place = 'network'): string {
  const lines = [...printProgram(compiled(place, text).program, { describe: (one) => `rule ${one.ref}` })];
  const body = lines.slice(lines.findIndex((line) => line.includes('; rule r0')) + 1);
  const code = body.map((line) => line.replace(/^\s*\d+: (\([0-9a-f]+\) )?/, '').replace(/call pc[+-]\d+#/, 'call #'));
  return `\n${code.slice(0, code.indexOf('r9 = 1')).join('\n')}\n`;
}

describe('what one rule comes to', () => {
  test('by its expression', async () => {
    const rows: readonly (readonly [text: string, place?: Place])[] = [
      ['udp.payload contains "token"'],
      ['not ends_with(udp.payload, "secret")'],
      ['starts_with(tcp.payload, "GET ")'],
      ['udp.payload in {"ping" "hello"}'],
      ['len(udp.payload) > 512'],
      ['udp.dstport == 5060 and not sip'],
      ['dns.query.valid'],
      ['ntp.valid'],
      ['iif.name == "eth0"', 'xdp'],
      ['iif.name strict wildcard "wg*"', 'tc'],
      ['iif.name matches "^eth[0-9]$"', 'tc'],
    ];
    const texts = rows.map(([text, place]) => `${text}${golden(text, place)}`);
    await expect(texts.join('\n')).toMatchFileSnapshot('golden/rules.txt');
  });

  test('a prefix of an address in a named set: the address is cut first', () => {
    const lines = golden('cidr(ip.dst, 24, 48) in $web').split('\n');
    expect(lines.slice(4, 8)).toMatchInlineSnapshot(`
      [
        "r1 = *(u32 *)(r10 -24)",
        "r1 = be32 r1",
        "w1 &= -256",
        "r1 = be32 r1",
      ]
    `);
  });
});

describe('what is asked of names that are few', () => {
  test.each([
    { name: 'the name of a protocol', text: 'starts_with(ip.proto, "udp")', same: 'ip.proto in {"udp" "udplite"}' },
    { name: 'its length', text: 'len(ip.proto) == 6', same: 'ip.proto in {"icmpv6"}' },
    { name: 'the name in capital letters', text: 'upper(ip.proto) == "TCP"', same: 'ip.proto == "tcp"' },
    { name: 'a method that there is not', text: 'sip.method == "invite"', same: 'sip.method == "NONE"' },
    { name: 'a method', text: 'lower(sip.method) contains "inv"', same: 'sip.method == "INVITE"' },
  ])('$name', ({ text, same }) => {
    expect(golden(text)).toBe(golden(same));
  });
});

describe('maps', () => {
  test('automata are one table, the same for the same test', () => {
    const { maps } = compiled('tc', 'udp.payload contains "a"', 'udp.payload contains "a" and ip.ttl == 1', 'iif.name == "eth0"');
    expect(maps.map(({ kind, symbol }) => `${kind} ${symbol}`)).toEqual(['counters counters', 'interfaces interfaces', 'table automata']);
  });

  test('where no octets are asked for there is none', () => {
    expect(compiled('tc', 'ip.ttl == 1').maps.map(({ symbol }) => symbol)).toEqual(['counters']);
  });
});

describe('what is refused', () => {
  test.each([
    {
      name: 'too many states',
      place: 'xdp',
      text: 'ip.ttl == 1 and udp.payload matches "a[ab]{14}$"',
      construct: /matches .* 4096 states/,
    },
    { name: 'two fields at once', place: 'tc', text: 'starts_with(udp.payload, iif.name)', construct: /starts_with/ },
    { name: 'where a packet goes out, inside nf_tables', place: 'network', text: 'oif.name == "eth0"', construct: /oif.name/ },
    { name: 'octets before there is a packet', place: 'connect4', text: 'udp.payload contains "a"', construct: /udp.payload/ },
  ] as const)('$name, with its place', ({ place, text, construct }) => {
    const result = compile(place, 'ip.proto == "tcp"', text);
    expect(result).toMatchObject({ refusals: [{ rule: 'r1', construct: expect.stringMatching(construct) }] });
    expect('refusals' in result && result.refusals[0]?.span).toBeDefined();
  });

  test('more tests of octets than the verifier has the patience for, and only what is too much', () => {
    const one = rule('one', 'udp.payload contains "needle"');
    const rules = Array.from({ length: 3200 }, (_, i): Rule => ({ ...one, ref: `r${i}` }));
    const result = compileEbpf({ hook: 'prerouting', priority: 0, rules }, { place: 'tc' });
    expect('refusals' in result && result.refusals.length).toBe(3200 - Math.floor(800_000 / 260));
    expect('refusals' in result && result.refusals[0]?.message).toContain('800000 instructions');
  });

  test('loops on kernels that have none', () => {
    const rules = [rule('a', 'ip.ttl == 1'), rule('b', 'udp.payload contains "a"'), rule('c', 'dns.query.valid'), rule('d', 'ntp.valid')];
    const result = compileEbpf({ hook: 'prerouting', priority: 0, rules }, { place: 'tc', mayGoto: false });
    expect('refusals' in result && result.refusals.map((one) => one.rule)).toEqual(['b', 'c']);
    const { compiled: made } = compileEbpf(
      { hook: 'prerouting', priority: 0, rules: rules.slice(0, 1) },
      { place: 'tc', mayGoto: false },
    ) as {
      compiled: ReturnType<typeof compiled>;
    };
    expect([...printProgram(made.program)].some((line) => line.includes('may_goto'))).toBe(false);
  });
});

describe('room on the stack', () => {
  test('facts that have none are found where they are asked for', () => {
    const texts = Array.from({ length: 90 }, (_, i) => `bit_slice(ip, ${i}, ${i + 20}) == ${i}`);
    const { program } = compiled('tc', ...texts);
    const slots = [...printProgram(program)].flatMap((line) => /\(r10 (-\d+)\)/.exec(line)?.[1] ?? []);
    expect(Math.min(...slots.map(Number))).toBeGreaterThanOrEqual(-448);
  });

  test('xor has room as deep as expressions may cost', () => {
    let text = 'ip.ttl == 1';
    for (let depth = 0; depth < 9; depth++) text = `(ip.ttl == ${depth} and ${text}) xor udp.dstport == ${depth}`;
    expect(compiled('tc', text).program.words.length).toBeGreaterThan(0);
  });
});
