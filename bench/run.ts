// `npm run bench` lists the benches, `npm run bench -- NAME [--json] [--smoke] [--ipv6] [--rules FILE]` runs one: a table, or one JSON object.
import { parseArgs } from 'node:util';
import { type Bench, listBenches, thisMachine } from './bench.ts';
import { printTable } from './table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    smoke: { type: 'boolean', default: false },
    ipv6: { type: 'boolean', default: false },
    rules: { type: 'string' },
  },
});

async function load(name: string): Promise<Bench> {
  const { bench } = (await import(`./${name}.ts`)) as { readonly bench?: Bench };
  if (bench?.name !== name) throw new Error(`bench/${name}.ts does not export a bench called ${name}`);
  return bench;
}

const names = listBenches();
const [name] = positionals;

if (name === undefined) {
  const benches = await Promise.all(names.map(load));
  const rows = benches.map((bench) => ({ name: bench.name, summary: bench.summary, root: bench.needsRoot === true ? 'needed' : '' }));
  console.log(values.json ? JSON.stringify(rows) : printTable(rows));
} else if (!names.includes(name)) {
  console.error(`there is no bench called ${name}; there are: ${names.join(', ') || 'none'}`);
  process.exitCode = 64;
} else {
  const bench = await load(name);
  if (bench.needsRoot === true && process.geteuid?.() !== 0) {
    console.error(`${name} needs root: it makes network namespaces`);
    process.exitCode = 4;
  } else {
    const rows = await bench.run({
      smoke: values.smoke,
      ipv6: values.ipv6,
      ...(values.rules === undefined ? {} : { rules: values.rules }),
    });
    const machine = thisMachine();
    if (values.json) console.log(JSON.stringify({ name, machine, rows }));
    else
      console.log(
        `${bench.name}: ${bench.summary}\n${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}\n\n${printTable(rows)}`,
      );
  }
}
