import type { FlowAction } from '@weir/bgp/flowspec';
import { expect, it } from 'vitest';
import { addFlows } from '../../apps/weir/src/compile/flows/index.ts';
import { DEFAULT_CUMULUS } from '../../apps/weir/src/model/cumulus.ts';
import { testFlowConfig, testRedirects } from '../../apps/weir/src/model/test-flow.ts';
import { hintFlows, randomFlow, randomFlows } from '../agreement/generate/flow-rules.ts';
import { Hints } from '../agreement/generate/hints.ts';
import { Random } from '../e2e/random.ts';
import { CumulusBed, VARIANTS } from './cumulus-bed.ts';

const ROUNDS = Number(process.env['WEIR_CUMULUS_ROUNDS'] ?? 20);
const CONFIG = testFlowConfig({ redirects: testRedirects({ '64512:80': 100 }) });

const ACTIONS: readonly (readonly FlowAction[])[] = [
  [{ kind: 'rate-bytes', rate: 0, asn: 0 }],
  [{ kind: 'rate-bytes', rate: 0, asn: 0 }],
  [{ kind: 'rate-packets', rate: 1_000_000, asn: 0 }],
  [{ kind: 'mark', dscp: 10 }],
  [],
];

it.each(VARIANTS)("random flow rules in ACL files give the interpreter's verdicts by iptables-%s", async (variant) => {
  const random = new Random(20_260_122);
  const bed = new CumulusBed({ hook: 'prerouting', priority: -150, state: false }, variant);
  try {
    await bed.prepare();
    for (let round = 0; round < ROUNDS; round++) {
      const flows = randomFlows(random, 8, ACTIONS);
      const protectedFlow = random.below(2) === 0 ? randomFlow(random, ACTIONS) : undefined;
      const config = { ...CONFIG, protectedFlows: protectedFlow ? [protectedFlow.rule] : [] };
      const [hook] = addFlows([], flows, config, []);
      const hints = new Hints();
      hintFlows(hints);
      if (hook) await bed.judge(hook, { ...DEFAULT_CUMULUS, inInterfaces: ['eth+'] }, random, hints);
    }
  } finally {
    bed.close();
  }
  const { allow, deny, fragments, rules } = bed.seen;
  const refused = [...bed.refused.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `cumulus flow rules (${variant}): ${allow + deny} packets, ${allow} allowed, ${fragments} fragments, ${rules} rules; ${refused} refused`,
  );
  if (process.env['WEIR_CUMULUS_WHY']) console.log([...bed.refused].sort((a, b) => b[1] - a[1]));
  expect(deny).toBeGreaterThan(20 * ROUNDS);
  expect(refused).toBeLessThan(rules / 3);
});
