import fc from 'fast-check';
import { expect, test } from 'vitest';
import { importPrograms, readSave } from '../../apps/weir/src/sources/import/index.ts';
import { judgePolicy, loadImported } from '../../apps/weir/src/sources/import/test-policy.ts';
import { anyPacket, anyRuleset, judgeModel, modelBytes, printRuleset } from './iptables-model.ts';

test('unfolded chains decide as the chains do, for random rulesets and packets', () => {
  const seen = { accept: 0, drop: 0, reject: 0 };
  let skips = 0;
  fc.assert(
    fc.property(anyRuleset(), fc.array(anyPacket, { minLength: 20, maxLength: 20 }), (set, packets) => {
      const text = printRuleset(set, 'INPUT');
      const imported = importPrograms([readSave(text, 'rules.v4', 4)], ['rules.v4']);
      expect(imported.entries.filter((e) => e.status === 'unsupported' || e.status === 'error')).toEqual([]);
      const policy = loadImported(imported);
      skips += policy.rules.filter((r) => r.action.kind === 'skip').length;
      for (const packet of packets) {
        const want = judgeModel(set, packet);
        seen[want]++;
        const got = judgePolicy(policy, 'input', modelBytes(packet), { iif: packet.iif, state: packet.state, mark: packet.mark });
        if (got !== want) throw new Error(`${got} instead of ${want} for ${JSON.stringify(packet)}\n${text}\n${imported.text}`);
      }
    }),
    { numRuns: 80 },
  );
  expect(seen.accept).toBeGreaterThan(200);
  expect(seen.drop).toBeGreaterThan(200);
  expect(seen.reject).toBeGreaterThan(0);
  expect(skips).toBeGreaterThan(10);
});
