// All prefixes to many clients that connect at once, until the last has End-of-RIB and all of them, beside BIRD and OpenBGPD as the server of the same clients.
import { monotonic } from '../test/lab/fleet/index.ts';
import { type Bench, type BenchOptions, beside, type Row } from './bench.ts';
import { KINDS, type Kind, serve, within } from './distributors/servers.ts';

/** A server that has not done it by then is left. */
const LIMIT_MS = 60_000;

interface Figures {
  /** Until the last client had all; undefined where the limit was reached. */
  readonly seconds: number | undefined;
  /** Prefixes that all clients together had in the end. */
  readonly told: number;
}

function measure(kind: Kind, clients: number, prefixes: number, ipv6: boolean | undefined): Promise<Figures> {
  return serve(kind, { clients, prefixes: prefixes + 1, ipv6 }, async (_server, fleet) => {
    const full = fleet.watch({ count: prefixes });
    const start = monotonic();
    await fleet.start();
    const times = await within(LIMIT_MS, full);
    const told = (await fleet.summaries()).reduce((sum, { count }) => sum + count, 0);
    if (!times) return { seconds: undefined, told };
    return { seconds: (Math.max(...times) - start) / 1000, told };
  });
}

export const bench: Bench = {
  name: 'full-table',
  summary: 'all prefixes to clients that connect at once, until the last has them and End-of-RIB, beside BIRD and OpenBGPD as the server',
  needsRoot: true,
  async run({ smoke, ipv6 }: BenchOptions): Promise<readonly Row[]> {
    const [clients, prefixes] = smoke ? [5, 1000] : [100, 100_000];
    const rows: Row[] = [];
    let own: number | undefined;
    for (const kind of KINDS) {
      const measured = async (): Promise<Row> => {
        const { seconds, told } = await measure(kind, clients, prefixes, ipv6);
        const took = seconds ?? LIMIT_MS / 1000;
        own ??= took;
        return {
          server: kind.name,
          clients,
          prefixes: ipv6 ? `${prefixes}, half IPv6` : prefixes,
          s: seconds === undefined ? `more than ${took}` : Number(took.toFixed(2)),
          'time / Weir': Number((took / own).toFixed(2)),
          'prefixes/s': Math.round(told / took),
        };
      };
      rows.push(...(await beside(kind.name, kind.program, measured)));
    }
    return rows;
  },
};
