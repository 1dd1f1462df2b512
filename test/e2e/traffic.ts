import { expect } from 'vitest';
import type { ConnectStream, Host, StreamReport } from '../lab/index.ts';

export interface Targets {
  readonly open: readonly string[];
  readonly closed: readonly string[];
  readonly port: number;
  /** New connections a second to each address. */
  readonly perSecond: number;
  /** Local address. */
  readonly source?: string;
}

interface Stream {
  readonly address: string;
  readonly open: boolean;
  readonly stream: ConnectStream;
}

/** A steady stream of new connections to services that are open and to services that are closed, from inside one host. */
export class Traffic {
  readonly #streams: readonly Stream[];

  private constructor(streams: readonly Stream[]) {
    this.#streams = streams;
  }

  static async start(from: Host, { open, closed, port, perSecond, source }: Targets): Promise<Traffic> {
    const begin = async (address: string, isOpen: boolean): Promise<Stream> => ({
      address,
      open: isOpen,
      // Under the second after which the kernel repeats a SYN: one lost packet is one failure.
      stream: await from.connectStream({ address, port, perSecond, timeoutMs: 900, ...(source === undefined ? {} : { source }) }),
    });
    return new Traffic(
      await Promise.all([...open.map((address) => begin(address, true)), ...closed.map((address) => begin(address, false))]),
    );
  }

  /** Stops, and fails the test unless every connection to an open service was made and none to a closed one. Returns how many were tried. */
  async expectHitless(leastAttempts: number): Promise<number> {
    const reports = await Promise.all(this.#streams.map(async ({ stream, ...rest }) => ({ ...rest, report: await stream.stop() })));
    for (const { address, open, report } of reports) {
      const wrong = open ? report.attempts - report.connected : report.connected;
      expect({ address, open, wrong, ...evidence(report) }).toEqual({
        address,
        open,
        wrong: 0,
        ...evidence(report),
        skipped: 0,
        errors: 0,
      });
      expect(report.attempts).toBeGreaterThanOrEqual(leastAttempts);
    }
    return reports.reduce((sum, { report }) => sum + report.attempts, 0);
  }
}

/** What a failure shows. */
function evidence(report: StreamReport): Omit<StreamReport, 'connected'> {
  const { connected: _counted, changes, ...rest } = report;
  return { ...rest, changes: changes.slice(0, 20) };
}
