import { printHex } from '@weir/wire/bytes';
import { Lab } from '../lab/index.ts';
import { Bed, type BedHook } from './bed.ts';
import { printOpinion } from './compare.ts';
import { printNode } from './generate/expressions.ts';
import { Loader } from './loaded.ts';
import { run } from './run.ts';
const [hook = 'prerouting', priority = '-150', seed = '1', policies = '100', packets = '200'] = process.argv.slice(2);
const lab = new Lab();
try {
  const bed = await Bed.open(lab, { hook: hook as BedHook, priority: Number(priority), conntrack: true });
  const loader = new Loader(bed.host.path);
  const t = performance.now();
  const r = run(bed, loader, { seed: Number(seed), policies: Number(policies), packets: Number(packets), rules: 6 });
  const ms = performance.now() - t;
  console.log({ pairs: r.pairs, sent: r.sent, ms, perSecond: (r.pairs / ms) * 1000, verdicts: r.verdicts, refused: r.refused });
  for (const d of r.differences) {
    for (const x of d.policy.rules) console.log('  ', x.ref, x.action, x.log ? 'log' : '', x.audit ? 'audit' : '', printNode(x.node));
    console.log(printHex(d.subject.bytes), d.subject.mark, d.subject.frames.length, 'interpreter', printOpinion(d.interpreter), 'kernel', printOpinion(d.kernel));
  }
  for (const [k, v] of [...r.seen].sort()) if (v.true === 0 || v.true === v.asked) console.log(k, v);
} finally {
  await lab.dispose();
}
