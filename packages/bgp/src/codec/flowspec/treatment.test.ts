import { ip } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { encodeFlowActions, type FlowAction, flowActions, isMalformedAction } from './action.ts';
import { parseFlowAction, printFlowAction } from './action-text.ts';
import { flowTreatment, treatmentActions } from './treatment.ts';

const of = (...texts: readonly string[]): FlowAction[] => texts.map((text) => parseFlowAction(text) as FlowAction);
const float = (type: number, low: number) => flowActions({ extendedCommunities: [{ high: (type << 16) >>> 0, low }] });

describe('flowActions', () => {
  it.each([
    { high: 0x80060000, low: 0, want: 'discard' },
    { high: 0x8006fde9, low: 0x47c35000, want: 'rate-bytes 100000 as 65001' },
    { high: 0x80060000, low: 0x3dcccccd, want: 'rate-bytes 0.1' },
    { high: 0x80060000, low: 0x80000000, want: 'rate-bytes -0' },
    { high: 0x80060000, low: 0x00000001, want: 'rate-bytes 1e-45' },
    { high: 0x80060000, low: 0xff800000, want: 'rate-bytes -Infinity' },
    { high: 0x80060000, low: 0x7fc00000, want: 'rate-bytes NaN' },
    { high: 0x800cfde9, low: 0x447a0000, want: 'rate-packets 1000 as 65001' },
    { high: 0x80070000, low: 0, want: 'terminal' },
    { high: 0x80070000, low: 1, want: 'continue' },
    { high: 0x80070000, low: 2, want: 'sample' },
    { high: 0x80070000, low: 3, want: 'sample continue' },
    { high: 0x8008fde9, low: 100, want: 'redirect rt:65001:100' },
    { high: 0x8108c000, low: 0x020a0064, want: 'redirect rt:192.0.2.10:100' },
    { high: 0x82080000, low: 0xfc000064, want: 'redirect rt:0.64512:100' },
    { high: 0x80090000, low: 0xee, want: 'mark 46' },
    { high: 0x08000000, low: 0, want: 'redirect-to next-hop' },
    { high: 0x08000000, low: 1, want: 'copy-to next-hop' },
    { high: 0x010cc000, low: 0x02630001, want: 'copy-to 192.0.2.99' },
    { high: 0x80ff0000, low: 7, want: 'generic:0x80ff0000:0x00000007' },
    { high: 0x0002fde9, low: 100, want: undefined },
    { high: 0x43000000, low: 0, want: undefined },
  ])('$high $low is $want', ({ high, low, want }) => {
    const [action] = flowActions({ extendedCommunities: [{ high, low }] });
    expect(action && printFlowAction(action)).toBe(want);
  });

  it.each([
    { typeLow: 0x0c, local: 0, want: 'redirect-to 2001:db8::1' },
    { typeLow: 0x0c, local: 1, want: 'copy-to 2001:db8::1' },
    { typeLow: 0x0d, local: 7, want: 'redirect rt:[2001:db8::1]:7' },
    { typeLow: 0x02, local: 7, want: undefined },
  ])('IPv6 sub-type $typeLow is $want', ({ typeLow, local, want }) => {
    const [action] = flowActions({ ipv6ExtendedCommunities: [{ typeHigh: 0, typeLow, address: ip('2001:db8::1'), local }] });
    expect(action && printFlowAction(action)).toBe(want);
    if (action)
      expect(encodeFlowActions([action]).ipv6ExtendedCommunities).toEqual([{ typeHigh: 0, typeLow, address: ip('2001:db8::1'), local }]);
  });

  it('a rate that is not a number is malformed, no other', () => {
    expect(float(0x8006, 0x7fc00000).some(isMalformedAction)).toBe(true);
    expect(float(0x800c, 0xffffffff).some(isMalformedAction)).toBe(true);
    for (const low of [0, 0x80000000, 0x7f800000, 0xff800000, 1]) expect(float(0x8006, low).some(isMalformedAction)).toBe(false);
  });

  it.each([
    { name: 'a negative rate', action: { kind: 'rate-bytes', rate: -1, asn: 0 } as const },
    { name: 'a rate that is not a number', action: { kind: 'rate-packets', rate: Number.NaN, asn: 0 } as const },
    { name: 'an AS number over 65535', action: { kind: 'rate-bytes', rate: 1, asn: 65536 } as const },
    { name: 'DSCP 64', action: { kind: 'mark', dscp: 64 } as const },
    {
      name: 'a local part of three octets',
      action: { kind: 'redirect-rt', administrator: { kind: 'ipv4', address: ip('192.0.2.1') }, local: 65536 } as const,
    },
  ])('does not announce $name', ({ action }) => {
    expect(() => encodeFlowActions([action])).toThrow(RangeError);
  });

  it.each([
    '',
    'drop',
    'discard 1',
    'rate-bytes',
    'rate-bytes x',
    'rate-bytes 1 as',
    'rate-bytes 1 as 65536',
    'sample sample',
    'mark 64',
    'redirect 1:2',
    'redirect ro:1:2',
    'redirect-to x',
    'generic:0x1',
  ])('does not read %j', (text) => {
    expect(parseFlowAction(text)).toBeUndefined();
  });
});

describe('flowTreatment', () => {
  const nothing = { rateBytes: undefined, ratePackets: undefined, sample: false, terminal: true, mark: undefined, redirect: undefined };

  it.each([
    { name: 'nothing', actions: [], want: nothing, notes: [] },
    { name: 'discard', actions: ['discard'], want: { ...nothing, rateBytes: 0 }, notes: [] },
    {
      name: 'the lowest rate',
      actions: ['rate-bytes 5', 'rate-bytes 3', 'rate-bytes 4'],
      want: { ...nothing, rateBytes: 3 },
      notes: ['rate-bytes 5', 'rate-bytes 4'],
    },
    {
      name: 'bytes and packets',
      actions: ['rate-bytes 5', 'rate-packets 3'],
      want: { ...nothing, rateBytes: 5, ratePackets: 3 },
      notes: [],
    },
    { name: 'a negative rate', actions: ['rate-bytes -5', 'rate-bytes 4'], want: { ...nothing, rateBytes: 0 }, notes: ['rate-bytes 4'] },
    { name: 'minus infinity', actions: ['rate-bytes -Infinity'], want: { ...nothing, rateBytes: 0 }, notes: [] },
    { name: 'minus zero', actions: ['rate-packets -0'], want: { ...nothing, ratePackets: 0 }, notes: [] },
    { name: 'infinity', actions: ['rate-bytes Infinity'], want: nothing, notes: ['rate-bytes Infinity'] },
    { name: 'not a number', actions: ['rate-bytes NaN', 'rate-bytes 3'], want: { ...nothing, rateBytes: 3 }, notes: ['rate-bytes NaN'] },
    { name: 'a denormal', actions: ['rate-bytes 1e-45'], want: { ...nothing, rateBytes: Math.fround(1e-45) }, notes: [] },
    { name: 'sample and go on', actions: ['sample continue'], want: { ...nothing, sample: true, terminal: false }, notes: [] },
    { name: 'sample, and another says go on', actions: ['sample', 'continue'], want: { ...nothing, sample: true }, notes: ['continue'] },
    { name: 'the lowest mark', actions: ['mark 46', 'mark 10', 'mark 10'], want: { ...nothing, mark: 10 }, notes: ['mark 46'] },
    { name: 'an unknown action', actions: ['generic:0x80ff0000:0x00000000'], want: nothing, notes: ['generic:0x80ff0000:0x00000000'] },
    {
      name: 'an address before a routing table',
      actions: ['redirect rt:1:2', 'redirect-to 192.0.2.1'],
      want: { ...nothing, redirect: { kind: 'ip', address: ip('192.0.2.1'), copy: false } },
      notes: ['redirect rt:1:2'],
    },
    {
      name: 'an address of its own before the next hop, and no copy',
      actions: ['redirect-to next-hop', 'copy-to 192.0.2.2', 'redirect-to 192.0.2.3'],
      want: { ...nothing, redirect: { kind: 'ip', address: ip('192.0.2.3'), copy: false } },
      notes: ['copy-to 192.0.2.2', 'redirect-to next-hop'],
    },
    {
      name: 'two routing tables',
      actions: ['redirect rt:1:3', 'redirect rt:1:2'],
      want: { ...nothing, redirect: { kind: 'rt', administrator: { kind: 'as2', asn: 1 }, local: 2 } },
      notes: ['redirect rt:1:3'],
    },
  ])('$name', ({ actions, want, notes: noted }) => {
    const { notes, ...treatment } = flowTreatment(of(...actions), ip('192.0.2.9'));
    expect(treatment).toEqual(want);
    expect(notes.map((n) => printFlowAction(n.action))).toEqual(noted);
    expect(flowTreatment(treatmentActions(flowTreatment(of(...actions), ip('192.0.2.9'))), undefined)).toEqual({ ...want, notes: [] });
  });

  it('the next hop is that of the announcement, where it has one', () => {
    const actions = of('copy-to next-hop');
    expect(flowTreatment(actions, ip('192.0.2.9')).redirect).toEqual({ kind: 'ip', address: ip('192.0.2.9'), copy: true });
    expect(flowTreatment(actions, undefined)).toMatchObject({
      redirect: undefined,
      notes: [{ reason: 'the announcement has no next hop' }],
    });
  });
});
