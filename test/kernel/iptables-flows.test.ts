import type { FlowAction } from '@weir/bgp/flowspec';
import { expect, it } from 'vitest';
import { addFlows } from '../../apps/weir/src/compile/flows/index.ts';
import { compileIptables } from '../../apps/weir/src/compile/iptables/index.ts';
import type { ActiveFlow, FlowConfig } from '../../apps/weir/src/model/flow.ts';
import type { HookRules } from '../../apps/weir/src/model/rule.ts';
import { testFlowConfig } from '../../apps/weir/src/model/test-flow.ts';
import { hintFlows, randomFlow, randomFlows } from '../agreement/generate/flow-rules.ts';
import { Hints } from '../agreement/generate/hints.ts';
import { Random } from '../e2e/random.ts';
import { IptablesBed } from './iptables-bed.ts';

const ROUNDS = 20;
const CONFIG = testFlowConfig();

const ACTIONS: readonly (readonly FlowAction[])[] = [
  [{ kind: 'rate-bytes', rate: 0, asn: 0 }],
  [{ kind: 'rate-bytes', rate: 0, asn: 0 }],
  [{ kind: 'rate-packets', rate: 1_000_000, asn: 0 }],
  [{ kind: 'mark', dscp: 10 }],
  [{ kind: 'traffic-action', sample: true, terminal: false }],
  [],
];

/** Judged behind the point where fragments are put together, as everything at prerouting is that iptables judges by ports. */
const hooksOf = (flows: readonly ActiveFlow[], config: FlowConfig): readonly HookRules[] => addFlows([], flows, config, []);
const sayable = (flow: ActiveFlow): boolean =>
  ([4, 6] as const).every((family) => compileIptables(hooksOf([flow], CONFIG), family).refusals.length === 0);

it("random flow rules as text for iptables-restore give the interpreter's verdicts", async () => {
  const random = new Random(20_260_123);
  const bed = new IptablesBed({ hook: 'prerouting', priority: -150, tracked: false });
  let [asked, said] = [0, 0];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const all = randomFlows(random, 10, ACTIONS);
      const flows = all.filter(sayable);
      asked += all.length;
      said += flows.length;
      const kept = randomFlow(random, ACTIONS);
      const config = { ...CONFIG, protectedFlows: kept && random.below(2) === 0 && sayable(kept) ? [kept.rule] : [] };
      const hints = new Hints();
      hintFlows(hints);
      for (const hook of hooksOf(flows, config)) expect(await bed.judge(hook, random, hints)).toBe(true);
    }
  } finally {
    bed.close();
  }
  const { allow, deny } = bed.seen;
  console.log(`flow rules by iptables: ${allow + deny} packets, ${allow} allowed; ${said} of ${asked} rules can be said`);
  expect(deny).toBeGreaterThan(20 * ROUNDS);
  expect(said).toBeGreaterThan(asked / 2);
});
