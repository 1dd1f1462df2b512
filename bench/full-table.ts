// All prefixes to many clients that connect at once, until the last has End-of-RIB and all of them, beside BIRD and OpenBGPD as the server of the same clients.
import { monotonic } from '../test/lab/fleet/index.ts';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';
import { KINDS, type Kind, serve } from './distributors/servers.ts';

interface Figures {
  readonly first: number;
  readonly last: number;
}

function measure(kind: Kind, clients: number, prefixes: number): Promise<Figures> {
  return serve(kind, { clients, prefixes: prefixes + 1 }, async (_server, fleet) => {
    const full = fleet.watch({ count: prefixes });
    const start = monotonic();
    await fleet.start();
    const times = await full;
    return { first: (Math.min(...times) - start) / 1000, last: (Math.max(...times) - start) / 1000 };
  });
}

export const bench: Bench = {
  name: 'full-table',
  summary: 'all prefixes to clients that connect at once, until the last has them and End-of-RIB, beside BIRD and OpenBGPD as the server',
  needsRoot: true,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const [clients, prefixes] = smoke ? [5, 1000] : [100, 100_000];
    const rows: Row[] = [];
    let own: number | undefined;
    for (const kind of KINDS) {
      if (kind.program !== undefined && !isInstalled(kind.program)) {
        rows.push({ server: kind.name, note: `${kind.program} is not installed` });
        continue;
      }
      const { first, last } = await measure(kind, clients, prefixes);
      own ??= last;
      rows.push({
        server: kind.name,
        clients,
        prefixes,
        'first s': Number(first.toFixed(2)),
        'last s': Number(last.toFixed(2)),
        'time / Weir': Number((last / own).toFixed(2)),
        'prefixes/s': Math.round((clients * prefixes) / last),
      });
    }
    return rows;
  },
};
