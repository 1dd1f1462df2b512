import { printHex } from '@weir/wire/bytes';
import { Lab } from '../lab/index.ts';
import { Bed, type BedHook } from './bed.ts';
import { printOpinion } from './compare.ts';
import { printNode } from './generate/expressions.ts';
import { Loader } from './loaded.ts';
import { run } from './run.ts';
const [hook = 'prerouting', priority = '-150', seed = '1', pairs = '20000', packets = '200'] = process.argv.slice(2);
const lab = new Lab();
try {
  const bed = await Bed.open(lab, { hook: hook as BedHook, priority: Number(priority), conntrack: true });
  const loader = new Loader(bed.host.path);
  const t = performance.now();
  const r = run(bed, loader, { seed: Number(seed), pairs: Number(pairs), packets: Number(packets), rules: 6 });
  const ms = performance.now() - t;
  console.log({ pairs: r.pairs, sent: r.sent, ms, perSecond: (r.pairs / ms) * 1000, policies: r.policies, broken: r.broken.slice(0, 3), verdicts: r.verdicts, refused: r.refused });
  if (r.differences[0]) {
    const { Shrinker, printDifference } = await import('./shrink.ts');
    const d = new Shrinker(bed, loader).shrink(r.differences[0]);
    console.log(printDifference(d, hook));
    const { build } = await import('./built.ts');
    const { sightsOf } = await import('./subject.ts');
    const built = build(d.policy, bed.options.hook, bed.options.priority);
    const effects = loader.load(built);
    const { NetfilterMonitor, NFNLGRP_NFTRACE } = await import('@weir/netlink/socket');
    const { decodeTrace } = await import('@weir/netlink/nftables');
    const m = new NetfilterMonitor({ groups: [NFNLGRP_NFTRACE], netns: bed.host.path });

    console.log(effects, JSON.stringify(sightsOf([d.subject], bed)));
    m.read((_h, _n, r) => { const t = decodeTrace('inet', r); console.log(t.table, t.ruleHandle, t.type, t.id, t.networkHeader && printHex(t.networkHeader), t.transportHeader && printHex(t.transportHeader)); });
    console.log((await bed.host.exec('nft', ['-a', 'list', 'table', 'inet', 'weir_agreement'])).stdout);
  }
  if (process.env['COVERAGE']) for (const [k, v] of [...r.seen].sort()) if (v.true === 0 || v.true === v.asked) console.log(k, v);
} finally {
  await lab.dispose();
}
