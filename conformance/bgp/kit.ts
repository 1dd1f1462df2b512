import {
  BgpError,
  decodeMessage,
  encodeMessage,
  type FlowRun,
  type Message,
  type NlriRun,
  prefixAt,
  type SessionContext,
} from '@weir/bgp/codec';
import { DecodeError, parseHex, printHex, Writer } from '@weir/wire/bytes';
import { printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

/** A message whose bytes somebody else wrote. */
export interface Vector {
  readonly name: string;
  /** Who wrote it: an RFC section or a program with its version. */
  readonly source: string;
  readonly hex: string;
  readonly context: SessionContext;
  /** Whether encoding what was decoded gives these very bytes. */
  readonly canonical: boolean;
  readonly want: unknown;
}

export function encoded(message: Message, context: SessionContext): Uint8Array {
  const w = new Writer();
  encodeMessage(w, message, context);
  return w.finish();
}

function prefixesOf(run: NlriRun): readonly string[] {
  return Array.from({ length: run.count }, (_, i) => `${run.pathIds ? `${run.pathIds[i]}@` : ''}${printPrefix(prefixAt(run, i))}`);
}

function flowsOf(run: FlowRun): readonly string[] {
  return run.routes.map(({ rule, pathId }) => `${pathId === undefined ? '' : `${pathId}@`}${rule.key}`);
}

/** A message with its routes as text and without what depends on how its bytes were laid out, for comparison. */
export function normal(message: Message): unknown {
  if (message.kind !== 'update') return message;
  const { rawAttributes: _raw, withdraw, announce, withdrawFlows, announceFlows, errors: _errors, ...rest } = message;
  return {
    ...rest,
    withdraw: withdraw.flatMap((run) => prefixesOf(run).map((p) => `${run.family} ${p}`)).sort(),
    announce: announce.map((a) => ({ nextHop: a.nextHop, family: a.run.family, prefixes: prefixesOf(a.run) })),
    withdrawFlows: withdrawFlows.flatMap(flowsOf).sort(),
    announceFlows: announceFlows.map((a) => ({ nextHop: a.nextHop, flows: flowsOf(a.run) })),
  };
}

/** The round trip, the fixpoint, the vectors and the truncations that every message codec has to stand. */
export function messageSuite<M extends Message>(
  name: string,
  suite: {
    readonly values: fc.Arbitrary<{ readonly message: M; readonly context: SessionContext }>;
    readonly vectors: readonly Vector[];
    /** `normal` unless the kind has something to add. */
    readonly normal?: (message: Message) => unknown;
  },
): void {
  const view = suite.normal ?? normal;
  describe(name, () => {
    it('what is encoded decodes to itself', () => {
      fc.assert(
        fc.property(suite.values, ({ message, context }) => {
          expect(view(decodeMessage(encoded(message, context), context))).toEqual(view(message));
        }),
      );
    });

    it('decode, encode, decode is a fixpoint, and the second encoding is the first', () => {
      fc.assert(
        fc.property(suite.values, ({ message, context }) => {
          const first = encoded(message, context);
          expect(printHex(encoded(decodeMessage(first, context), context))).toBe(printHex(first));
        }),
      );
    });

    it.each(suite.vectors.map((v) => [`${v.name} (${v.source})`, v] as const))('%s', (_name, v) => {
      const message = decodeMessage(parseHex(v.hex), v.context);
      expect(message).toMatchObject(v.want as object);
      const again = encoded(message, v.context);
      if (v.canonical) expect(printHex(again)).toBe(printHex(parseHex(v.hex)));
      expect(normal(decodeMessage(again, v.context))).toEqual(normal(message));
    });

    it('cut at every offset it is a DecodeError', () => {
      fc.assert(
        fc.property(suite.values, ({ message, context }) => {
          const whole = encoded(message, context);
          for (let k = 0; k < whole.length; k++)
            if (!(thrown(() => decodeMessage(whole.subarray(0, k), context)) instanceof DecodeError))
              expect.fail(`cut at ${k}: ${printHex(whole)}`);
        }),
        { numRuns: 20 },
      );
    });

    it('cut at every offset with the header made to agree it is a BgpError or a message', () => {
      fc.assert(
        fc.property(suite.values, ({ message, context }) => {
          const whole = encoded(message, context);
          for (let k = 19; k < whole.length; k++) {
            const cut = whole.slice(0, k);
            cut[16] = k >> 8;
            cut[17] = k & 255;
            decodesOrResets(cut, context);
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}

/** What `run` throws. */
function thrown(run: () => unknown): unknown {
  const { stackTraceLimit } = Error;
  // Thousands are thrown, and what matters is of which class.
  Error.stackTraceLimit = 0;
  try {
    run();
  } catch (error) {
    return error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return undefined;
}

/** Fails unless decoding gives a message or a BgpError with a NOTIFICATION. */
export function decodesOrResets(bytes: Uint8Array, context: SessionContext): Message | BgpError {
  try {
    return decodeMessage(bytes, context);
  } catch (error) {
    if (error instanceof BgpError) return error;
    throw error;
  }
}
