import { fileURLToPath } from 'node:url';
import { AgentClient } from '../agent-client.ts';
import type { Host } from '../host.ts';
import type { LabProcess } from '../process.ts';
import type { ClientConfig } from './client.ts';
import type { ClientSummary, ProcessConfig, Wanted } from './protocol.ts';

const script = fileURLToPath(new URL('./process.ts', import.meta.url));

export interface FleetConfig extends Omit<ClientConfig, 'address'> {
  readonly clients: number;
  /** How many addresses are taken by other fleets; default 0. */
  readonly after?: number;
  /** Default 2. */
  readonly processes?: number;
}

/** Milliseconds on the clock that all processes of the machine have. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The address of a client by its number, all in 127.1.0.0/16. */
export function clientAddress(number: number): string {
  return `127.1.${(number + 1) >> 8}.${(number + 1) & 255}`;
}

interface Part {
  readonly client: AgentClient;
  readonly process: LabProcess;
  readonly first: number;
  readonly count: number;
}

/**
 * Many clients of one server, each with an address of its own in the namespace that the server is in: Weir's own speaker, in a few processes. Clients are numbered from 0; a range of
 * them is [first, end).
 */
export class Fleet {
  readonly size: number;
  readonly #parts: readonly Part[];

  private constructor(size: number, parts: readonly Part[]) {
    this.size = size;
    this.#parts = parts;
  }

  /** Starts the processes; no client connects before `start`. */
  static async launch(host: Host, { clients, after = 0, processes = 2, ...config }: FleetConfig): Promise<Fleet> {
    const parts = Array.from({ length: processes }, async (_, i): Promise<Part> => {
      const [first, end] = [Math.floor((i * clients) / processes), Math.floor(((i + 1) * clients) / processes)];
      const addresses = Array.from({ length: end - first }, (_none, k) => clientAddress(after + first + k));
      const settings: ProcessConfig = { ...config, addresses };
      let process: LabProcess | undefined;
      const client = await AgentClient.start(
        (command, args) => {
          process = host.spawn(command, args, { name: `clients ${first} to ${end}` });
          return process;
        },
        ['--conditions=source', '--import', 'tsx', script, JSON.stringify(settings)],
      );
      if (process === undefined) throw new RangeError('no process');
      return { client, process, first, count: end - first };
    });
    return new Fleet(clients, await Promise.all(parts));
  }

  async start(): Promise<void> {
    await Promise.all(this.#parts.map(({ client }) => client.request('start', {})));
  }

  /** When each client of a range had what is wanted (`monotonic`), once all have it. */
  async watch(wanted: Wanted, range: readonly [number, number] = [0, this.size]): Promise<readonly number[]> {
    const times = await Promise.all(
      this.#within(range).map(([{ client }, clients]) => client.request<number[]>('watch', { wanted, clients })),
    );
    return times.flat();
  }

  /** Clients of a range read nothing until `resume`; they send KEEPALIVEs all the same. */
  async pause(range: readonly [number, number]): Promise<void> {
    await Promise.all(this.#within(range).map(([{ client }, clients]) => client.request('pause', { clients })));
  }

  async resume(range: readonly [number, number]): Promise<void> {
    await Promise.all(this.#within(range).map(([{ client }, clients]) => client.request('resume', { clients })));
  }

  /** To all processes: SIGSTOP is a machine that hangs. */
  signal(signal: NodeJS.Signals): void {
    for (const { process } of this.#parts) process.signal(signal);
  }

  async summaries(): Promise<readonly ClientSummary[]> {
    return (await Promise.all(this.#parts.map(({ client }) => client.request<ClientSummary[]>('summary', {})))).flat();
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#parts.map(async ({ client, process }) => {
        await client.request('close', {});
        await process.close();
      }),
    );
  }

  #within([from, end]: readonly [number, number]): readonly (readonly [Part, readonly number[]])[] {
    return this.#parts.flatMap((part) => {
      const [first, last] = [Math.max(from, part.first), Math.min(end, part.first + part.count)];
      return last <= first ? [] : [[part, Array.from({ length: last - first }, (_, i) => first - part.first + i)] as const];
    });
  }
}
