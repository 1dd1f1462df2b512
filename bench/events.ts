// Verdict events: how fast one core empties the ring buffer, whether the reader's thread loses any at a given rate, and what an event costs the program that writes it.

import { RingBuffer } from '@weir/ebpf/kernel';
import { writtenRule as rule } from '../apps/weir/src/compile/test-rule.ts';
import type { Rule } from '../apps/weir/src/model/rule.ts';
import { EVENT_OCTETS } from '../apps/weir/src/model/verdict-event-layout.ts';
import { VerdictReader, VerdictStream } from '../apps/weir/src/observe/verdicts/index.ts';
import { RecordBuffer } from '../apps/weir/src/observe/verdicts/record-buffer.ts';
import { type EventBed, eventBed, syn } from '../test/kernel/ebpf-events-bed.ts';
import type { Bench, BenchOptions, Row } from './bench.ts';

const RING = 16 * 1024 * 1024;
/** Records that fit into it, with their headers. */
const FULL = Math.floor(RING / (EVENT_OCTETS + 8)) - 1;
const MATCH = 'tcp.dstport == 22';

function withBed<T>(rules: readonly Rule[], use: (bed: EventBed) => T): T {
  const bed = eventBed('tc', rules, RING);
  try {
    return use(bed);
  } finally {
    bed.close();
  }
}

const logged = (more: Partial<Rule> = {}): Rule => rule('r', MATCH, { kind: 'deny' }, { log: true, ...more });

/** Fills the ring buffer, and takes everything out of it as the reader does. Time is that of the processor: others may be at work beside. */
function drain(rounds: number): Row {
  return withBed([logged()], (bed) => {
    const ring = RingBuffer.open(bed.ring);
    const records = new RecordBuffer(4096);
    let read = 0;
    let milliseconds = 0;
    let words: Int32Array | undefined;
    try {
      for (let round = 0; round < rounds; round++) {
        bed.loaded.program.run({ data: syn, repeat: FULL });
        const start = process.cpuUsage();
        for (let more = true; more; ) {
          const part = ring.read((bytes, at) => {
            words ??= new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
            records.copy(words, at >>> 2);
            if (records.full) records.take();
          }, 4096);
          read += part.records;
          more = part.more;
        }
        const { user, system } = process.cpuUsage(start);
        milliseconds += (user + system) / 1000;
      }
    } finally {
      ring.close();
    }
    return { what: 'emptied by one thread', 'events/s': (read / milliseconds) * 1000, 'ns an event': (milliseconds * 1e6) / read };
  });
}

/** Writes events at a rate for some seconds; the reader's thread posts them to this one, which keeps and counts them. */
async function sustain(rate: number, seconds: number): Promise<Row> {
  const bed = eventBed('tc', [logged()], RING);
  const stream = new VerdictStream();
  const reader = await VerdictReader.start({
    onBatch: stream.take,
    onProblem: (subject, message) => {
      if (message !== undefined) throw new Error(`${subject}: ${message}`);
    },
    onFailure: (error) => {
      throw error;
    },
  });
  try {
    reader.setRing({ kind: 'descriptor', fd: bed.ring.fd });
    const start = performance.now();
    let written = 0;
    for (let now = 0; now < seconds; now = (performance.now() - start) / 1000) {
      const due = Math.floor(rate * now) - written;
      if (due > 0) bed.loaded.program.run({ data: syn, repeat: Math.min(due, FULL) });
      written += Math.min(Math.max(0, due), FULL);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const took = (performance.now() - start) / 1000;
    const [seen = 0, , lost = 0] = bed.counts(0);
    for (let tries = 0; tries < 1000 && stream.counts().verdicts.deny + reader.counts().queueLost < seen - lost; tries++)
      await new Promise((resolve) => setTimeout(resolve, 5));
    const { queueLost } = reader.counts();
    return {
      what: `reader thread at ${Math.round(rate / 1000)}k/s`,
      'events/s': seen / took,
      'lost in the ring': lost,
      'lost on the way': queueLost,
    };
  } finally {
    await reader.close();
    bed.close();
  }
}

/** Nanoseconds of one run of a program, the best of several. */
function cost(rules: readonly Rule[], options: { readonly empty: boolean; readonly rounds: number }): number {
  return withBed(rules, (bed) => {
    const ring = options.empty ? RingBuffer.open(bed.ring) : undefined;
    let best = Number.POSITIVE_INFINITY;
    try {
      if (!options.empty) bed.loaded.program.run({ data: syn, repeat: FULL + 1000 });
      for (let round = 0; round < options.rounds; round++) {
        best = Math.min(best, bed.loaded.program.run({ data: syn, repeat: FULL - 1000 }).nanoseconds);
        for (let more = ring !== undefined; more && ring; ) more = ring.read(() => undefined).more;
      }
    } finally {
      ring?.close();
    }
    return best;
  });
}

function costs(rounds: number): readonly Row[] {
  const never = rule('never', 'ip.ttl == 1', { kind: 'deny' }, { log: true });
  const without = cost([rule('r', MATCH, { kind: 'deny' }), never], { empty: false, rounds });
  const row = (what: string, rules: readonly Rule[], empty = true): Row => {
    const nanoseconds = cost(rules, { empty, rounds });
    return { what, 'ns a packet': nanoseconds, 'ns more': nanoseconds - without };
  };
  return [
    { what: 'a denied packet without an event', 'ns a packet': without, 'ns more': 0 },
    row('with an event', [logged()]),
    row('with one event in 1,000', [logged({ sampling: { every: 1000 } })]),
    row('with 100 events a second at most', [logged({ sampling: { perSecond: 100 } })]),
    row('with an event that finds the ring full', [logged()], false),
  ];
}

export const bench: Bench = {
  name: 'events',
  summary: `verdict events of ${EVENT_OCTETS} octets: how fast they are read, and what they cost a program`,
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const rows: Row[] = [drain(smoke ? 2 : 20)];
    for (const rate of smoke ? [100_000] : [100_000, 500_000]) rows.push(await sustain(rate, smoke ? 0.5 : 5));
    return [...rows, ...costs(smoke ? 2 : 20)];
  },
};
