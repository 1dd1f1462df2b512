// `npm run fuzz -- [NAME...] [--seconds N] [--seed N]`: every target, or those named. `--replay HEX` gives one input to one target.
import { parseArgs } from 'node:util';
import { parseHex, printHex } from '@weir/wire/bytes';
import { campaign } from './campaign.ts';
import { type FuzzTarget, listTargets } from './fuzz.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string' },
    replay: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

const all = listTargets();
const names = positionals.length === 0 ? all : positionals;
const unknown = names.filter((name) => !all.includes(name));
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed);
const seconds = Number(values.seconds);

if (values.list) console.log(all.join('\n'));
else if (unknown.length > 0 || !(seconds > 0) || !Number.isInteger(seed)) {
  console.error(
    unknown.length > 0 ? `no such target: ${unknown.join(', ')}; there are: ${all.join(', ')}` : '--seconds and --seed take numbers',
  );
  process.exitCode = 64;
} else if (values.replay !== undefined) {
  for (const name of names) await (await load(name)).run(parseHex(values.replay));
} else {
  for (const name of names) {
    const { inputs, finding } = await campaign(await load(name), { seed, milliseconds: seconds * 1000 });
    console.log(`${finding === undefined ? 'ok  ' : 'FAIL'} ${name}: ${inputs} inputs in ${seconds} s, seed ${seed}`);
    if (finding === undefined) continue;
    console.log(`${finding.message}\n  npm run fuzz -- ${name} --replay ${printHex(finding.input)}`);
    process.exitCode = 1;
  }
}

async function load(name: string): Promise<FuzzTarget> {
  const { target } = (await import(`./${name}.ts`)) as { readonly target?: FuzzTarget };
  if (target?.name !== name) throw new Error(`fuzz/${name}.ts does not export a target called ${name}`);
  return target;
}
