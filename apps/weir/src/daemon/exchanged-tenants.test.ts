import { expect, test } from 'vitest';
import { exchangedTenants } from './exchanged-tenants.ts';

const tenants = (...pairs: readonly string[]) => pairs.map((pair) => ({ name: pair.split('@')[0] ?? '', netns: pair.split('@')[1] ?? '' }));

test.each([
  { name: 'nothing', before: ['a@x', 'b@y'], after: ['a@x', 'b@y'], want: undefined },
  { name: 'a new namespace', before: ['a@x'], after: ['a@z'], want: undefined },
  { name: 'another name', before: ['a@x'], after: ['c@x'], want: undefined },
  { name: 'the place of one that goes', before: ['a@x', 'b@y'], after: ['b@x'], want: undefined },
  { name: 'an exchange', before: ['a@x', 'b@y'], after: ['a@y', 'b@x'], want: 'tenant a cannot have the namespace y while tenant b moves' },
  { name: 'a chain', before: ['a@x', 'b@y'], after: ['a@y', 'b@z'], want: 'tenant a cannot have the namespace y while tenant b moves' },
])('$name', ({ before, after, want }) => {
  const found = exchangedTenants(tenants(...before), tenants(...after));
  if (want === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(want);
});
