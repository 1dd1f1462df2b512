import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { subjects, testWith } from './daemon-cases.ts';

test('docs/interop.md gives every reason', () => {
  const page = readFileSync(new URL('../../docs/interop.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
  for (const { name, without } of subjects) {
    expect(page).toContain(name);
    for (const reason of Object.values(without)) expect(page).toContain(`${reason}.`);
  }
});

testWith('FRR');
