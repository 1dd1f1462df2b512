import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkCallChain, planStack, type StackSlot } from './stack-plan.ts';

test('slots go down from the frame pointer, aligned', () => {
  expect(planStack({ octet: 1, word: 4, long: 8, name: { octets: 6, align: 8 }, half: 2 })).toEqual({
    at: { octet: -1, word: -8, long: -16, name: -24, half: -26 },
    size: 26,
  });
});

test('two parts that are not at work at once share what is below', () => {
  const kept = planStack({ verdict: 4 });
  const parse = planStack({ header: 40 }, { below: kept.size });
  const judge = planStack({ key: 24, value: 8 }, { below: kept.size });
  expect([kept.size, parse.at.header, judge.at.key, judge.at.value, Math.max(parse.size, judge.size)]).toEqual([4, -48, -32, -40, 48]);
});

test('any slots: aligned, within the stack, none over another; or refused', () => {
  const slot: fc.Arbitrary<StackSlot> = fc.oneof(
    fc.integer({ min: 1, max: 80 }),
    fc.record({ octets: fc.integer({ min: 1, max: 80 }), align: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const) }),
  );
  fc.assert(
    fc.property(fc.array(slot, { minLength: 1, maxLength: 12 }), fc.integer({ min: 0, max: 64 }), (list, below) => {
      const slots = Object.fromEntries(list.map((one, index) => [`slot${index}`, one]));
      const octets = (one: StackSlot): number => (typeof one === 'number' ? one : one.octets);
      let plan: ReturnType<typeof planStack> | undefined;
      try {
        plan = planStack(slots, { below });
      } catch (error) {
        expect(error).toMatchObject({ code: 'stack-size' });
        expect(list.reduce<number>((sum, one) => sum + octets(one) + 7, below)).toBeGreaterThan(512);
        return;
      }
      let top = -below;
      for (const [index, one] of list.entries()) {
        const at = plan.at[`slot${index}`] ?? 0;
        const align = typeof one === 'number' ? one & -one & 0x0f || 8 : one.align;
        expect(at % Math.min(align, 8)).toBe(-0);
        expect(at + octets(one)).toBeLessThanOrEqual(top);
        top = at;
      }
      expect(plan.size).toBe(-top);
      expect(plan.size).toBeLessThanOrEqual(512);
    }),
  );
});

test.each([
  { slots: { all: 512 }, want: 512 },
  { slots: { all: 512, more: 1 }, want: 'the stack slot more ends 513 octets below the frame pointer: 512 is the limit' },
  { slots: { none: 0 }, want: 'the stack slot none cannot have 0 octets' },
  { slots: { part: 1.5 }, want: 'the stack slot part cannot have 1.5 octets' },
])('$slots: $want', ({ slots, want }) => {
  const plan = (): number => planStack<string>(slots as Record<string, StackSlot>).size;
  if (typeof want === 'number') expect(plan()).toBe(want);
  else expect(plan).toThrow(want);
});

test.each([
  {
    frames: [
      { name: 'main', octets: 480 },
      { name: 'leaf', octets: 0 },
    ],
    want: 512,
  },
  {
    frames: [
      { name: 'main', octets: 481 },
      { name: 'leaf', octets: 1 },
    ],
    want: '544 octets are on the stack in leaf: 512 is the limit',
  },
  {
    frames: [
      { name: 'main', octets: 224, tailCalls: true },
      { name: 'leaf', octets: 200, tailCalls: true },
    ],
    want: 448,
  },
  {
    frames: [
      { name: 'main', octets: 225 },
      { name: 'leaf', octets: 8, tailCalls: true },
    ],
    want: 'leaf makes tail calls with 256 octets of its callers on the stack: less than 256 is the limit',
  },
])('$want', ({ frames, want }) => {
  if (typeof want === 'number') expect(checkCallChain(frames)).toBe(want);
  else expect(() => checkCallChain(frames)).toThrow(want);
});
