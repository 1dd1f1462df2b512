// UPDATE decoding, from a byte stream to prefixes in columns and checked attributes, beside ExaBGP's decoder on the same bytes.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  AttributeCache,
  decodeHeader,
  decodeMessage,
  encodeUpdate,
  MessageFramer,
  nlriRun,
  type PathAttributes,
  sessionContext,
  type UnicastFamily,
} from '@weir/bgp/codec';
import { Writer } from '@weir/wire/bytes';
import { asn, ip4, ip6, makePrefix, type Prefix } from '@weir/wire/inet';
import type { Bench, BenchOptions, Row } from './bench.ts';

const CHUNK = 65536;
const BUDGET = 10e6;
const PYTHON = '/usr/bin/python3';
const EXABGP = '/usr/lib/python3/dist-packages/exabgp';
const context = sessionContext();
const hop4 = { address: ip4(0xc0000201) };
const hop6 = { address: ip6(0x20010db8, 0, 0, 1) };

/** Attributes of which no two are equal: five AS numbers, three communities, MED. */
function attributesOf(i: number): PathAttributes {
  const path = [64513, 64496 + (i % 16), 4200000000 + (i % 90000), 65000 + (i % 500), 64600 + (i % 100)];
  return {
    origin: 'igp',
    asPath: [{ kind: 'sequence', asns: path.map(asn) }],
    med: i,
    communities: [0xfc000050, 0xfc010000 + (i % 65536), i],
  };
}

interface Workload {
  readonly what: string;
  readonly messages: number;
  readonly prefixes: number;
  readonly stream: Uint8Array;
}

const net24 = (i: number): Prefix => makePrefix(ip4((0x0a000000 + i * 256) >>> 0), 24);
const net48 = (i: number): Prefix => makePrefix(ip6(0x20010db8, (i << 16) >>> 0, 0, 0), 48);

/** `count` prefixes of one family with the same attributes. */
function packed(what: string, family: UnicastFamily, prefix: (i: number) => Prefix, count: number): Workload {
  const run = nlriRun(
    family,
    Array.from({ length: count }, (_, i) => prefix(i)),
  );
  const nextHop = family === 'ipv4 unicast' ? hop4 : hop6;
  const w = new Writer();
  let messages = 0;
  for (const bytes of encodeUpdate({ attributes: attributesOf(1), announce: [{ nextHop, run }] }, context)) {
    w.bytes(bytes);
    messages++;
  }
  return { what, messages, prefixes: count, stream: w.finish() };
}

/** `count` UPDATEs of five prefixes each, with `sets` different sets of attributes. */
function scattered(what: string, count: number, sets: number): Workload {
  const w = new Writer();
  for (let i = 0; i < count; i++) {
    const run = nlriRun(
      'ipv4 unicast',
      Array.from({ length: 5 }, (_, k) => net24(i * 5 + k)),
    );
    for (const bytes of encodeUpdate({ attributes: attributesOf(i % sets), announce: [{ nextHop: hop4, run }] }, context)) w.bytes(bytes);
  }
  return { what, messages: count, prefixes: count * 5, stream: w.finish() };
}

/** The first messages of a stream. */
function firstOf(stream: Uint8Array, messages: number): Uint8Array {
  let at = 0;
  for (let i = 0; i < messages && at < stream.length; i++) at += decodeHeader(stream, at, false).length;
  return stream.subarray(0, at);
}

/** Seconds to frame and decode the whole stream; throws unless every prefix came out. */
function decodeAll(stream: Uint8Array, prefixes: number): number {
  const framer = new MessageFramer();
  const cache = new AttributeCache();
  let seen = 0;
  const started = performance.now();
  for (let at = 0; at < stream.length; at += CHUNK) {
    framer.push(stream.subarray(at, at + CHUNK));
    for (let bytes = framer.next(); bytes; bytes = framer.next()) {
      const message = decodeMessage(bytes, context, cache);
      if (message.kind === 'update') for (const a of message.announce) seen += a.run.count;
    }
  }
  const seconds = (performance.now() - started) / 1000;
  if (seen !== prefixes) throw new Error(`${seen} of ${prefixes} prefixes were decoded`);
  return seconds;
}

interface PeerFigure {
  readonly version: string;
  readonly rate: number;
}

/** ExaBGP's prefixes a second over a stream, or undefined where it is not installed. */
function exabgp(stream: Uint8Array): PeerFigure | undefined {
  if (!existsSync(PYTHON) || !existsSync(EXABGP)) return undefined;
  const ran = spawnSync(PYTHON, [join(import.meta.dirname, 'bgp-decode-exabgp.py')], { input: stream, encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`exabgp: ${ran.stderr}`);
  const [prefixes, seconds, version = ''] = ran.stdout.trim().split(' ');
  return { version, rate: Number(prefixes) / Number(seconds) };
}

function measure(load: Workload, smoke: boolean): Row {
  const { stream } = load;
  const rounds = smoke ? 1 : 9;
  decodeAll(stream, load.prefixes);
  const samples = Array.from({ length: rounds }, () => decodeAll(stream, load.prefixes));
  const seconds = Math.min(...samples);
  const rate = load.prefixes / seconds;
  const part = Math.max(1, Math.round((load.messages * (smoke ? 2_000 : 50_000)) / load.prefixes));
  const peer = exabgp(firstOf(stream, part));
  return {
    what: load.what,
    messages: load.messages,
    prefixes: load.prefixes,
    ms: Number((seconds * 1000).toFixed(1)),
    'ns/prefix': Number(((seconds / load.prefixes) * 1e9).toFixed(1)),
    'prefixes/s': Math.round(rate),
    peer: peer ? `ExaBGP ${peer.version}` : 'ExaBGP',
    peerFigure: peer ? Math.round(peer.rate) : 'not installed',
    ratio: peer ? Number((rate / peer.rate).toFixed(0)) : '',
  };
}

export const bench: Bench = {
  name: 'bgp-decode',
  summary: `UPDATE bytes to checked routes (budget ${BUDGET / 1e6}M prefixes/s packed), beside ExaBGP; the best of 9 and 3 rounds`,
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const scale = smoke ? 0.01 : 1;
    const loads: readonly (() => Workload)[] = [
      () => packed('IPv4 /24, packed', 'ipv4 unicast', net24, 1_000_000 * scale),
      () => packed('IPv6 /48, packed', 'ipv6 unicast', net48, 60_000 * scale),
      () => scattered('5 prefixes an UPDATE, all attributes different', 200_000 * scale, 200_000),
      () => scattered('5 prefixes an UPDATE, 500 sets of attributes', 200_000 * scale, 500),
    ];
    return loads.map((make) => measure(make(), smoke));
  },
};
