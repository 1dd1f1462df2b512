import { expect, test } from 'vitest';
import { decodeInterface } from './interfaces.ts';
import { encodeAttributes } from './route-netlink.ts';

const TEXT = new TextEncoder();
const header = (index: number): Uint8Array => Uint8Array.of(0, 0, 1, 0, index, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0);
const message = (index: number, ...attributes: Parameters<typeof encodeAttributes>[0]): Uint8Array =>
  Uint8Array.of(...header(index), ...encodeAttributes(attributes));
const name = { type: 3, value: TEXT.encode('eth0\0') };
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

test.each([
  { name: 'without XDP', input: message(2, name), want: { name: 'eth0', index: 2, ethernet: true, xdp: undefined } },
  {
    name: 'XDP off',
    input: message(2, name, { type: 43, value: [{ type: 2, value: Uint8Array.of(0) }] }),
    want: { name: 'eth0', index: 2, ethernet: true, xdp: undefined },
  },
  ...(
    [
      [1, 'native'],
      [2, 'generic'],
    ] as const
  ).map(([attached, mode]) => ({
    name: `that has ${mode} XDP`,
    input: message(7, name, {
      type: 43,
      value: [
        { type: 2, value: Uint8Array.of(attached) },
        { type: 4, value: u32(99) },
      ],
    }),
    want: { name: 'eth0', index: 7, ethernet: true, xdp: { mode, programId: 99 } },
  })),
  {
    name: 'the loopback',
    input: message(1, name).with(2, 0x04).with(3, 0x03),
    want: { name: 'eth0', index: 1, ethernet: true, xdp: undefined },
  },
  {
    name: 'without a link header',
    input: message(3, name).with(2, 0xfe).with(3, 0xff),
    want: { name: 'eth0', index: 3, ethernet: false, xdp: undefined },
  },
  { name: 'no name', input: message(7), want: undefined },
  { name: 'cut short', input: Uint8Array.of(0, 0, 1), want: undefined },
])('an interface $name', ({ input, want }) => {
  expect(decodeInterface(input)).toEqual(want);
});
