import { join } from 'node:path';
import * as z from 'zod/mini';
import { readIfThere, writeWhole } from '../../../files/index.ts';
import type { FeedConfig } from '../../../model/feed.ts';

const FILE = 'feeds.json';
const text = z.string().check(z.maxLength(1000));

/** What is known of a feed's last list, also after a restart. Times are milliseconds since the epoch. */
export interface FeedMemory {
  /** What the list depends on; of another one nothing else holds. */
  readonly key: string;
  success?: number | undefined;
  failure?: { readonly at: number; readonly code: string; readonly message: string } | undefined;
  /** Prefixes of the last list that was taken. */
  listed?: number | undefined;
  /** Of them in the table. */
  members: number;
  entries: number;
  leftOut: Readonly<Record<string, number>>;
  examples: readonly { readonly line: number; readonly reason: string; readonly text: string }[];
  etag?: string | undefined;
  lastModified?: string | undefined;
  /** Tables that had just what the list had. */
  copyOf: readonly string[];
}

const memoryShape: z.ZodMiniType<FeedMemory> = z.object({
  key: z.string(),
  success: z.optional(z.number()),
  failure: z.optional(z.object({ at: z.number(), code: z.string(), message: text })),
  listed: z.optional(z.number()),
  members: z.number(),
  entries: z.number(),
  leftOut: z.record(z.string(), z.number()),
  examples: z.array(z.object({ line: z.number(), reason: z.string(), text })).check(z.maxLength(20)),
  etag: z.optional(z.string()),
  lastModified: z.optional(z.string()),
  copyOf: z.array(z.string()),
});
const fileShape = z.object({ version: z.literal(1), feeds: z.record(z.string(), memoryShape) });

/** What a list depends on. */
export function memoryKey({ table, origin, format, minLength }: FeedConfig): string {
  return JSON.stringify([table, origin, format, minLength]);
}

export function emptyMemory(feed: FeedConfig): FeedMemory {
  return { key: memoryKey(feed), members: 0, entries: 0, leftOut: {}, examples: [], copyOf: [] };
}

/** By feed. Nothing where there is no file; throws for what it is not. Members are elsewhere: without this they stay. */
export function readMemories(stateDirectory: string): Readonly<Record<string, FeedMemory>> {
  const octets = readIfThere(join(stateDirectory, FILE));
  // A loss of power may leave it empty.
  if (octets === undefined || octets.length === 0) return {};
  return fileShape.parse(JSON.parse(octets.toString())).feeds;
}

/** Throws the system's error. */
export function writeMemories(stateDirectory: string, feeds: Readonly<Record<string, FeedMemory>>): void {
  writeWhole(join(stateDirectory, FILE), JSON.stringify({ version: 1, feeds }), { mode: 0o600, survives: 'process' });
}
