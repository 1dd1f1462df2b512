import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ApplyAnswer, HistoryAnswer } from '../../api/index.ts';
import { type Backend, ControlServer, type GenerationSummary } from '../../api/index.ts';
import { memoryIo } from '../memory-io.ts';
import { palette } from '../render/paint.ts';
import { apply, confirm } from './apply.ts';

let directory = '';
let server: ControlServer | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-changing-'));
});

afterEach(async () => {
  await server?.close();
  rmSync(directory, { recursive: true });
});

async function serve(answers: Partial<Backend>): Promise<{ view: Parameters<typeof confirm>[0] }> {
  const socket = join(directory, 'weir.sock');
  server = await ControlServer.open({ path: socket, backend: answers as Backend, onError: () => undefined });
  return { view: { output: 'text', palette: palette('never', false, {}), socket, config: undefined } };
}

const flushed = { tracked: 9, cut: 3, allowed: 3, doubtful: 1, protected: 1, left: 1, examples: ['tcp a -> b: forward \u001brule'] };
const applied: ApplyAnswer = { format_version: 1, generation: 2, changed: ['policy'], warnings: [] };
const asked = { confirmTimeout: undefined, allowLockout: false, flushStates: true, wait: false };

describe('connections that are cut', () => {
  test.each([
    {
      name: 'at once',
      answer: { ...applied, flushed },
      want: `generation 2 is in force
  policy
3 of 9 tracked connections cut; no rollback brings them back
1 would be denied and go on: your SSH session, BGP peers
1 were not looked at: there are too many
1 go on because conntrack does not tell enough of them:
  tcp a -> b: forward \\x1brule
`,
      code: 0,
    },
    {
      name: 'later',
      answer: { ...applied, changed: [], confirm_before: 'noon', flush_at_confirm: true },
      want: `generation 2 is in force: nothing changed
run weir confirm before noon, or what was in force comes back
weir confirm cuts the connections that these rules deny
`,
      code: 0,
    },
    {
      name: 'not at all',
      answer: { ...applied, changed: [], flush_error: 'EPERM' },
      want: 'generation 2 is in force: nothing changed\n',
      code: 1,
    },
  ])('$name', async ({ answer, want, code }) => {
    const params: unknown[] = [];
    const { view } = await serve({
      apply: async (given) => {
        params.push(given);
        return answer;
      },
    });
    const io = memoryIo();
    expect(await apply(undefined, { ...view, ...asked }, io)).toBe(code);
    expect(io.stdout).toBe(want);
    expect(io.stderr).toContain(code === 0 ? '' : 'connections were not cut: EPERM');
    expect(params).toEqual([{ flush_states: true }]);
  });

  test('when the change is confirmed', async () => {
    const { view } = await serve({
      confirm: async () => ({ format_version: 1, generation: 2, flushed: { ...flushed, doubtful: 0, examples: [] } }),
    });
    const io = memoryIo();
    expect(await confirm(view, io)).toBe(0);
    expect(io.stdout).toContain('generation 2 is confirmed\n3 of 9 tracked connections cut');
  });
});

describe('waiting for confirmation', () => {
  const one = (number: number, reverted: boolean): GenerationSummary => ({
    number,
    at: '',
    cause: 'apply',
    by: '',
    digest: '',
    file: '',
    changes: [],
    reverted,
  });
  test.each([
    { name: 'confirmed', generations: [one(1, false), one(2, false)], want: 'generation 2 is confirmed', code: 0 },
    {
      name: 'taken back',
      generations: [one(1, false), one(2, true)],
      want: 'generation 2 was not confirmed: 7 is in force again',
      code: 3,
    },
    { name: 'nobody knows any more', generations: [one(7, false)], want: 'generation 2 is not kept any more', code: 1 },
  ])('$name', async ({ generations, want, code }) => {
    const history: HistoryAnswer = { format_version: 1, in_force: 7, generations };
    const { view } = await serve({ apply: async () => ({ ...applied, confirm_before: 'noon' }), history: async () => history });
    const io = memoryIo();
    const ended = apply(undefined, { ...view, ...asked, confirmTimeout: 1000, wait: true }, io);
    if (code === 1) await expect(ended).rejects.toMatchObject({ message: expect.stringContaining(want), code });
    else {
      expect(await ended).toBe(code);
      expect(io.stdout).toContain(want);
    }
  });
});
