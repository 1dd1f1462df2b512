// Files that Weir wrote and finds again: plans, and the history of generations. Whatever is in them, they are what Weir writes or are refused with their own error.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePlanFile } from '../apps/weir/src/cli/commands/plan-file.ts';
import { GenerationStore, HistoryError } from '../apps/weir/src/daemon/generations/index.ts';
import type { FuzzTarget } from './fuzz.ts';

const DIGEST = 'a'.repeat(64);
const CORPUS = [
  `{"format_version":1,"made":"2026-01-01T00:00:00.000Z","base":"${DIGEST}","digest":"${DIGEST}","file":"weir.yaml","changes":["rule a added"],"rules":["+ input a"],"behaviour":[]}`,
  `{"format_version":1,"inForce":2,"pending":{"generation":2,"previous":1,"deadline":1700000000000},"records":[{"number":1,"at":1,"cause":"start","by":"weir run","digest":"${DIGEST}","file":"weir.yaml","changes":[],"reverted":false},{"number":2,"at":2,"cause":"apply","by":"uid 0","digest":"${DIGEST}","file":"weir.yaml","changes":["x"],"reverted":false}]}`,
  '{"format_version":1,"texts":{"weir.yaml":"bgp: {}\\n","policy.yaml":"rules: []\\n"}}',
];

const directory = mkdtempSync(join(tmpdir(), 'weir-fuzz-plan-'));
mkdirSync(join(directory, 'history'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

export const target: FuzzTarget = {
  name: 'plan',
  corpus: () => CORPUS.map((text) => Buffer.from(text)),
  run(input) {
    const plan = parsePlanFile(Buffer.from(input).toString());
    if (plan && !(/^[0-9a-f]{64}$/.test(plan.base) && /^[0-9a-f]{64}$/.test(plan.digest))) throw new Error('a plan without digests');
    writeFileSync(join(directory, 'history', 'index.json'), input);
    writeFileSync(join(directory, 'history', '1.json'), input);
    try {
      const store = GenerationStore.open(directory);
      store.wasReverted(DIGEST);
      for (const { number } of store.index.records) store.before(number);
      for (const text of store.texts(1).values()) if (typeof text !== 'string') throw new Error('a text that is none');
    } catch (error) {
      if (!(error instanceof HistoryError)) throw error;
    }
  },
};
