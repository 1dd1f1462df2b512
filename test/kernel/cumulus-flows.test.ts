import { type FlowAction, flowOrderKey, flowTreatment, parseFlow, printFlow } from '@weir/bgp/flowspec';
import { expect, it } from 'vitest';
import { addFlows } from '../../apps/weir/src/compile/flows/index.ts';
import { DEFAULT_CUMULUS } from '../../apps/weir/src/model/cumulus.ts';
import { type ActiveFlow, DEFAULT_FLOWSPEC, type FlowConfig } from '../../apps/weir/src/model/flow.ts';
import { Hints } from '../agreement/generate/hints.ts';
import { Random } from '../e2e/random.ts';
import { CumulusBed, VARIANTS } from './cumulus-bed.ts';

const ROUNDS = Number(process.env['WEIR_CUMULUS_ROUNDS'] ?? 20);
const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
const CONFIG: FlowConfig = {
  ...DEFAULT_FLOWSPEC,
  protected: [],
  protectedFlows: [],
  guards: [],
  announce: undefined,
  redirects: [{ target: '64512:80', table: 100, span }],
  span,
};

const ADDRESSES: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['dst 198.51.100.0/24;', 'src 192.0.2.0/24;', 'src 192.0.2.1/32;', 'dst 0.0.0.0/0;', ''],
  6: ['dst 2001:db8:1::/48;', 'src 2001:db8::/32;', 'dst ::/0;', ''],
};
const COMPONENTS: readonly string[] = [
  'dport = 80;',
  'sport 1..1023;',
  'port = 53;',
  'dport > 24 && < 500 || 8080..8090;',
  'tcp flags 0x2/0x12;',
  'tcp flags 0x10/0x10 || 0x1/0x1;',
  'dscp 10;',
  'dscp 0,46;',
  'length 40..100;',
  'length > 60;',
];
const ONLY_4: readonly string[] = [
  'proto = 17;',
  'proto 1,6;',
  'icmp type 8; ',
  'icmp type 3; icmp code 1,4;',
  'fragment is_fragment;',
  'fragment !is_fragment;',
  'fragment dont_fragment || first_fragment;',
  'fragment last_fragment;',
];
const ONLY_6: readonly string[] = ['next header 17;', 'next header 6;', 'icmp type 1..4;', 'label 16..32;', 'label > 1000;'];

const ACTIONS: readonly (readonly FlowAction[])[] = [
  [{ kind: 'rate-bytes', rate: 0, asn: 0 }],
  [{ kind: 'rate-bytes', rate: 0, asn: 0 }],
  [{ kind: 'rate-packets', rate: 1_000_000, asn: 0 }],
  [{ kind: 'mark', dscp: 10 }],
  [],
];

function flow(random: Random): ActiveFlow | undefined {
  const family = random.below(2) === 0 ? 4 : 6;
  const parts = [
    random.pick(ADDRESSES[family]),
    random.below(4) === 0 ? '' : random.pick([...COMPONENTS, ...(family === 4 ? ONLY_4 : ONLY_6)]),
  ];
  const parsed = parseFlow(`flow${family} { ${parts.join(' ')} }`);
  if (!parsed.ok) return undefined;
  const { rule } = parsed;
  return {
    rule,
    order: flowOrderKey(rule),
    treatment: flowTreatment(random.pick(ACTIONS), undefined),
    provenance: { kind: 'flow', peer: 'core', flow: printFlow(rule), pathId: undefined, asPath: [], since: 0, stale: false },
  };
}

it.each(VARIANTS)("random flow rules in ACL files give the interpreter's verdicts by iptables-%s", async (variant) => {
  const random = new Random(20_260_122);
  const bed = new CumulusBed({ hook: 'prerouting', priority: -150, state: false }, variant);
  try {
    await bed.prepare();
    for (let round = 0; round < ROUNDS; round++) {
      const flows = Array.from({ length: 1 + random.below(8) }, () => flow(random) ?? []).flat();
      flows.sort((a, b) => (a.order < b.order ? -1 : 1));
      const distinct = flows.filter((one, i) => flows.findIndex((other) => other.rule.key === one.rule.key) === i);
      const protectedFlow = random.below(2) === 0 ? flow(random) : undefined;
      const config = { ...CONFIG, protectedFlows: protectedFlow ? [protectedFlow.rule] : [] };
      const [hook] = addFlows([], distinct, config, []);
      const hints = new Hints();
      hints.addInt('tcp.dstport', 80, 100, 8085);
      hints.addInt('udp.dstport', 53);
      hints.addV4(0xc0000201, 0xc6336401);
      hints.addV6(0x20010db8_00000000_00000000_00000001n, 0x20010db8_00010000_00000000_00000005n);
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
