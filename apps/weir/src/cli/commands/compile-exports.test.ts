import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../exit.ts';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const EXAMPLES = join(import.meta.dirname, '../../../../../examples');
const FORMS = ['iptables', 'ip6tables', 'pf'] as const;
const ROWS = [
  { name: 'web-server', config: undefined },
  { name: 'mail-server', config: undefined },
  { name: 'tiers', config: undefined },
  { name: 'reflection', config: undefined },
  { name: 'border', config: 'weir/policy.yaml' },
] as const;

describe('examples in the languages of other firewalls, or why not', () => {
  it.each(ROWS.flatMap((row) => FORMS.map((form) => ({ ...row, form }))))('$name as $form', async ({ name, config, form }) => {
    const io = memoryIo();
    const options = config === undefined ? [] : ['--config', join(EXAMPLES, config)];
    const code = await runProgram(['compile', '--to', form, ...options, join(EXAMPLES, 'policy', `${name}.yaml`)], io, {});
    const text = `${io.stdout}${io.stderr}`.replaceAll(`${EXAMPLES}/`, '');
    // All or nothing.
    expect(code).toBe(io.stdout === '' ? EXIT.finding : EXIT.ok);
    await expect(text).toMatchFileSnapshot(`golden/${name}.${form}`);
  });
});
