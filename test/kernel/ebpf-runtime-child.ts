import { probeFeatures } from '@weir/ebpf/kernel';
import { EbpfEngine } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { allow, delta, rule, wanted, xdp } from './ebpf-runtime-bed.ts';

/** Runs the engine until it is killed: DIRECTORY NETNS [churn]. Says `ready`; then, with `churn`, it changes rules all the time. */
const [directory = '', netns = '', churn] = process.argv.slice(2);
const engine = EbpfEngine.open({
  directory,
  netns,
  features: probeFeatures({ pinDirectory: directory }),
  now: () => performance.now(),
});
const hooks = (extra: number) => [
  wanted(
    'xdp',
    [rule('listed', 'ip.src in $bad'), ...Array.from({ length: extra }, (_, i) => rule(`extra-${i}`, `ip.src == 203.0.113.${i}`)), allow],
    xdp('here'),
  ),
];
engine.openLists(hooks(0), () => undefined);
const { problems } = engine.configure(hooks(0));
engine.apply([delta('bad', ['192.0.2.7/32'])]);
console.log(problems.length === 0 ? 'ready' : `problems ${problems.map(({ error }) => error.message).join('; ')}`);
for (let i = 1; ; i++) {
  if (churn === 'churn') engine.configure(hooks(1 + (i % 3)));
  engine.poll();
  await new Promise((resolve) => setTimeout(resolve, churn === 'churn' ? 1 : 100));
}
