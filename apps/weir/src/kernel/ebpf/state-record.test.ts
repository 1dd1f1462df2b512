import { expect, test } from 'vitest';
import { decodeState, encodeState, type StateRecord } from './state-record.ts';

const state: StateRecord = {
  filters: [{ place: 'tc-ingress-eth0', netns: '/var/run/netns/a', interface: 3, direction: 'ingress', priority: 22_341, handle: 1 }],
  fallbacks: { 'xdp-lo': 'its driver has no XDP (EOPNOTSUPP)' },
};

test('what is written is read', () => {
  expect(decodeState(encodeState(state))).toEqual(state);
  expect(decodeState(encodeState({ filters: [], fallbacks: {} }))).toEqual({ filters: [], fallbacks: {} });
});

test('what is cut short, damaged or of another version is none', () => {
  const bytes = encodeState(state);
  const used = 12 + new DataView(bytes.buffer).getUint32(8, true);
  for (let length = 0; length < used; length++) expect(decodeState(bytes.subarray(0, length))).toBeUndefined();
  for (const at of [0, 4, 8, 12]) {
    const damaged = bytes.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    expect(decodeState(damaged)).toBeUndefined();
  }
  const other = encodeState({ ...state, filters: [{ ...state.filters[0]!, interface: -1 }] });
  expect(decodeState(other)).toBeUndefined();
});

test('what does not fit is refused', () => {
  expect(() => encodeState({ filters: [], fallbacks: { x: 'y'.repeat(300_000) } })).toThrow(RangeError);
});
