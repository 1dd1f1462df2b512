// Tables of a distributor to many clients of one route reflector, with the files of examples/reflectors: clients in step after their start and after changes.
import { readFileSync, writeFileSync } from 'node:fs';
import { example } from '../test/e2e/routers.ts';
import { Weir } from '../test/e2e/weir.ts';
import { Fabric, REFLECTORS, Reflector, type ReflectorKind } from '../test/interop/reflector-lab.ts';
import { type ClientSummary, Fleet, monotonic, printNumber, type Universe } from '../test/lab/fleet/index.ts';
import { Lab, memoryMiB, waitFor } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';

const SIZES = { clients: 1000, prefixes: 1000 };
const SMOKE = { clients: 10, prefixes: 100 };
const MANY = 1000;
const PROGRAMS: Readonly<Record<ReflectorKind, string>> = { bird: 'bird', frr: 'bgpd', gobgp: 'gobgpd' };

/** The file that ships, for clients on the loopback, without the second distributor, which it would wait for. */
function oneDistributor(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^(?:protocol bgp distributor2| neighbor 192\.0\.2\.2) /.test(line))
    .join('\n')
    .replaceAll('198.51.100.0/24', '127.1.0.0/16');
}

function seconds(from: number, times: readonly number[]): number {
  return Number(((Math.max(...times) - from) / 1000).toFixed(2));
}

async function measure(kind: ReflectorKind, { clients, prefixes }: typeof SIZES): Promise<Row> {
  const lab = new Lab();
  try {
    const fabric = await Fabric.build(lab);
    const hub = new Weir(lab, await fabric.host('hub', '192.0.2.1'), readFileSync(example('reflectors/distributor.yaml'), 'utf8'));
    await hub.start();
    const change = async (...prefix: readonly string[]): Promise<void> => {
      await hub.ask((client) => client.call('network-add', { prefixes: prefix, tables: ['spammers'] }));
    };
    // The last `MANY` and the one before them are added later.
    const universe: Universe = { v4: prefixes + 1 + MANY, v6: 0 };
    const list = `${lab.directory('list')}/spammers.txt`;
    writeFileSync(list, Array.from({ length: prefixes }, (_, i) => `${printNumber(universe, i)}\n`).join(''));
    await hub.command('network', 'load', list, '--table', 'spammers', '--socket', hub.socket);
    const host = await fabric.host(kind, REFLECTORS[kind]);
    const reflector = await Reflector.start(lab, host, kind, oneDistributor);
    await waitFor(`${kind} to hold the table`, async () => (await reflector.holds()).length === prefixes, {
      timeoutMs: 60_000,
      intervalMs: 500,
    });
    const server = { address: REFLECTORS[kind], as: 64512 };
    const fleet = await Fleet.launch(host, { clients, as: 64512, server, universe });

    const started = monotonic();
    await fleet.start();
    const up = await fleet.watch({ count: prefixes });

    const one = fleet.watch({ count: prefixes + 1 });
    const asked = monotonic();
    await change(printNumber(universe, prefixes));
    const told = await one;

    const many = fleet.watch({ count: prefixes + 1 + MANY });
    const askedMany = monotonic();
    await change(...Array.from({ length: MANY }, (_, i) => printNumber(universe, prefixes + 1 + i)));
    const toldMany = await many;

    const summaries = await fleet.summaries();
    const note = differences(summaries);
    const peak = memoryMiB(reflector.pid, 'VmHWM');
    // Clients that were there before: the reflector is killed, and has them all in step again.
    await reflector.kill();
    await fleet.watch({ up: false });
    const back = monotonic();
    await reflector.start();
    const again = await fleet.watch({ count: prefixes + 1 + MANY });
    await fleet.close();
    return {
      reflector: kind,
      clients,
      prefixes,
      'all in step after start, s': seconds(started, up),
      'one add: half, ms': Math.round(quantile(told, 0.5) - asked),
      'last, ms': Math.round(Math.max(...told) - asked),
      [`${MANY} adds: last, s`]: seconds(askedMany, toldMany),
      'reflector killed: in step again, s': seconds(back, again),
      'reflector MB': Math.round(peak),
      'distributor MB': Math.round(memoryMiB(hub.pid, 'VmHWM')),
      note,
    };
  } finally {
    await lab.dispose();
  }
}

/** What is not as it has to be at clients that have the same tables over one session each. */
function differences(summaries: readonly ClientSummary[]): string {
  const views = new Set(summaries.map(({ digest }) => digest)).size;
  const strange = summaries.reduce((sum, one) => sum + one.strange, 0);
  const again = summaries.filter(({ sessions }) => sessions !== 1);
  const reasons = [...new Set(again.map(({ lastDown }) => lastDown))].join(', ');
  return [
    ...(views > 1 ? [`${views} different tables`] : []),
    ...(strange > 0 ? [`${strange} routes or errors that were not expected`] : []),
    ...(again.length > 0 ? [`${again.length} clients connected again: ${reasons}`] : []),
  ].join('; ');
}

export const bench: Bench = {
  name: 'reflectors',
  summary: 'tables from one distributor over one route reflector to 1,000 clients, by BIRD, FRR and GoBGP',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const kind of Object.keys(REFLECTORS) as ReflectorKind[])
      rows.push(...(await beside(kind, PROGRAMS[kind], () => measure(kind, smoke ? SMOKE : SIZES))));
    return rows;
  },
};
