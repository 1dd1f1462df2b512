// One prefix that is added to a table until the last of many clients has it, beside BIRD and OpenBGPD as the server of the same clients.
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonic } from '../test/lab/fleet/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';
import { KINDS, type Kind, serve, within } from './distributors/servers.ts';

/** Prefixes that are there already. */
const HELD = 2000;

/** A server that has not told all clients by then is left. */
const LIMIT_MS = 30_000;

interface Samples {
  /** Milliseconds to the first and to the last client. */
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** Undefined where a client was not told in time. */
function measure(kind: Kind, clients: number, rounds: number, ipv6: boolean | undefined): Promise<Samples | undefined> {
  return serve(kind, { clients, prefixes: HELD + 1, ipv6 }, async (server, fleet) => {
    const up = fleet.watch({ count: HELD });
    await fleet.start();
    if (!(await within(LIMIT_MS, up))) return undefined;
    const [first, last]: [number[], number[]] = [[], []];
    // The first ones are not counted: code is compiled, caches are cold.
    const warm = Math.ceil(rounds / 5);
    for (let i = 0; i < rounds + warm; i++) {
      for (const is of [1, 0]) {
        const seen = fleet.watch({ value: { number: 0, is } });
        await sleep(150);
        const start = monotonic();
        await server.set(is === 1);
        const times = await within(LIMIT_MS, seen);
        if (!times) return undefined;
        if (is === 0 || i < warm) continue;
        first.push(Math.min(...times) - start);
        last.push(Math.max(...times) - start);
      }
    }
    return { first, last };
  });
}

export const bench: Bench = {
  name: 'fan-out',
  summary: 'one prefix added to a table until the last client has it, beside BIRD and OpenBGPD as the server',
  needsRoot: true,
  async run({ smoke, ipv6 }: BenchOptions): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const clients of smoke ? [5] : [100, 1000]) {
      let own: number | undefined;
      for (const kind of KINDS) {
        const measured = async (): Promise<Row> => {
          const samples = await measure(kind, clients, smoke ? 2 : 40, ipv6);
          if (!samples) return { clients, server: kind.name, note: `a client had nothing after ${LIMIT_MS / 1000} s` };
          const { first, last } = samples;
          const p50 = quantile(last, 0.5);
          own ??= p50;
          return {
            clients,
            server: kind.name,
            'first p50 ms': Number(quantile(first, 0.5).toFixed(1)),
            'last p50 ms': Number(p50.toFixed(1)),
            'last p99 ms': Number(quantile(last, 0.99).toFixed(1)),
            'time / Weir': Number((p50 / own).toFixed(2)),
            'an add is': kind.how,
          };
        };
        rows.push(...(await beside(kind.name, kind.program, measured)));
      }
    }
    return rows;
  },
};
