import { evaluate } from '@weir/filter/eval';
import { Packet } from '@weir/filter/packet';
import { describe, expect, it } from 'vitest';
import { compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { writtenExpression, writtenRule } from '../../apps/weir/src/compile/test-rule.ts';
import { loadHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { Place } from '../../apps/weir/src/model/ebpf-program.ts';

/** The rules that deny, in the kernel: `run` says which of them a frame meets first, from 1; 0 for none. */
function load(place: Place, texts: readonly string[], mayGoto = true) {
  const rules = texts.map((text, i) => writtenRule(`r${i}`, text, { kind: 'deny' }));
  const result = compileEbpf({ hook: 'prerouting', priority: 0, rules }, { place, tellRule: true, mayGoto });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  const loaded = loadHook(result.compiled, { name: 'payloads' });
  return {
    run: (frame: Uint8Array): number => loaded.program.run({ data: frame, discard: true }).result >>> 8,
    close: () => loaded.close(),
  };
}

const TYPES = { 4: 0x0800, 6: 0x86dd } as const;

function frame(family: 4 | 6, packet: Uint8Array): Uint8Array {
  const out = new Uint8Array(14 + packet.length);
  new DataView(out.buffer).setUint16(12, TYPES[family]);
  out.set(packet, 14);
  return out;
}

function udp4(payload: Uint8Array): Uint8Array {
  const out = new Uint8Array(28 + payload.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, 0x4500);
  view.setUint16(2, out.length);
  view.setUint8(9, 17);
  view.setUint16(24, 8 + payload.length);
  out.set(payload, 28);
  return frame(4, out);
}

/** UDP to port 53 behind so many headers of destination options. */
function chained(headers: number): Uint8Array {
  const out = new Uint8Array(40 + 8 * headers + 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, 6 << 28);
  view.setUint16(4, out.length - 40);
  view.setUint8(6, headers === 0 ? 17 : 60);
  for (let i = 0; i < headers; i++) view.setUint8(40 + 8 * i, i === headers - 1 ? 17 : 60);
  view.setUint16(40 + 8 * headers + 2, 53);
  return frame(6, out);
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.each(['xdp', 'tc', 'network'] as const)('1,000 rules that look into payloads at %s', (place) => {
  it('load, and are asked one after the other', () => {
    const program = load(
      place,
      Array.from({ length: 1000 }, (_, i) => `udp.payload contains "needle ${i}."`),
    );
    try {
      for (const [payload, want] of [
        ['needle 0.', 1],
        ['a needle 999. in it', 1000],
        [`${'x'.repeat(63)}needle 500.`, 501],
        ['needle 1000.', 0],
        ['', 0],
      ] as const)
        expect([payload, program.run(udp4(text(payload)))]).toEqual([payload, want]);
    } finally {
      program.close();
    }
  });
});

it('a frame of 64 KiB is looked at to its end', () => {
  const program = load('xdp', ['udp.payload contains "token"', 'ends_with(udp.payload, "end")', 'udp.payload matches "^x+y$"']);
  try {
    const large = (end: string): Uint8Array => udp4(text('x'.repeat(65_536 - 42 - end.length) + end));
    expect([large('token'), large('tokens'), large('end'), large('y'), large('yx'), large('toke')].map(program.run)).toEqual([
      1, 1, 2, 3, 0, 0,
    ]);
  } finally {
    program.close();
  }
});

describe('IPv6 extension headers', () => {
  const rule = 'udp.dstport == 53';

  it.each([0, 63, 64, 65, 66, 1000, 8000])('%i of them are stepped over, as the interpreter does', (headers) => {
    const program = load('xdp', [rule]);
    try {
      expect(program.run(chained(headers))).toBe(1);
      expect(evaluate(writtenExpression(rule), Packet.fromEthernet(chained(headers)))).toBe(true);
    } finally {
      program.close();
    }
  });

  it('without may_goto there is a limit, and the program loads', () => {
    const program = load('xdp', [rule, 'ip.frag'], false);
    try {
      expect([64, 65].map((headers) => program.run(chained(headers)))).toEqual([1, 0]);
    } finally {
      program.close();
    }
  });
});

it('more facts than the stack has room for', () => {
  const texts = Array.from({ length: 120 }, (_, i) => `bit_slice(udp, ${64 + i}, ${64 + i + 16}) == ${0xffff}`);
  const program = load('tc', texts);
  try {
    const payload = new Uint8Array(40);
    payload[13] = 0xff;
    payload[14] = 0xff;
    expect(program.run(udp4(payload))).toBe(105);
  } finally {
    program.close();
  }
});
