// node process.ts CONFIG: many clients in one process. Requests and answers are JSON lines matched by id, as those of agent.mjs.
import { createInterface } from 'node:readline';
import { SimulatedClient } from './client.ts';
import type { ClientSummary, ProcessConfig, Request, Wanted } from './protocol.ts';

const config = JSON.parse(process.argv[2] ?? '') as ProcessConfig;
const clients = config.addresses.map((address) => new SimulatedClient({ ...config, address }, changed));

interface Watch {
  readonly id: number;
  readonly wanted: Wanted;
  readonly left: Set<SimulatedClient>;
  readonly times: number[];
}
let watches: Watch[] = [];

/** Milliseconds on the clock that all processes of the machine have. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function fits(client: SimulatedClient, { count, value, up }: Wanted): boolean {
  if (up !== undefined && client.established !== up) return false;
  if (count !== undefined && !(client.complete && client.count === count)) return false;
  return value === undefined || client.values[value.number] === value.is;
}

function changed(client: SimulatedClient): void {
  for (const watch of watches) {
    if (!watch.left.has(client) || !fits(client, watch.wanted)) continue;
    watch.left.delete(client);
    watch.times.push(Math.round(now() * 100) / 100);
    if (watch.left.size === 0) finish(watch);
  }
}

function finish({ id, times }: Watch): void {
  watches = watches.filter((one) => one.id !== id);
  answer(id, times);
}

function answer(id: number, ok: unknown): void {
  process.stdout.write(`${JSON.stringify({ id, ok })}\n`);
}

function some(indices: readonly number[] | undefined): readonly SimulatedClient[] {
  return indices === undefined ? clients : indices.flatMap((index) => clients[index] ?? []);
}

function summarize(client: SimulatedClient): ClientSummary {
  const { count, strange, established, complete, sessions, lastDown, digest } = client;
  return { count, strange, established, complete, sessions, digest, ...(lastDown === undefined ? {} : { lastDown }) };
}

async function act(request: Request): Promise<void> {
  const { id } = request;
  switch (request.do) {
    case 'start':
      for (const client of clients) client.start();
      return answer(id, null);
    case 'watch': {
      const watch: Watch = { id, wanted: request.wanted, left: new Set(some(request.clients)), times: [] };
      for (const client of [...watch.left]) {
        if (!fits(client, watch.wanted)) continue;
        watch.left.delete(client);
        watch.times.push(Math.round(now() * 100) / 100);
      }
      if (watch.left.size === 0) return answer(id, watch.times);
      watches.push(watch);
      return;
    }
    case 'pause':
      for (const client of some(request.clients)) client.pause();
      return answer(id, null);
    case 'resume':
      for (const client of some(request.clients)) client.resume();
      return answer(id, null);
    case 'summary':
      return answer(id, clients.map(summarize));
    case 'close':
      await Promise.all(clients.map((client) => client.close()));
      return answer(id, null);
  }
}

process.stdout.write(`${JSON.stringify({ id: 0, ok: null })}\n`);
const lines = createInterface({ input: process.stdin });
for await (const line of lines) await act(JSON.parse(line) as Request);
process.exit(0);
