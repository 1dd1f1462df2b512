// Lines of ExaBGP's, from bytes to members of a set, beside the rate at which ExaBGP itself decodes the same UPDATEs and prints these lines: it must never wait.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { encodeUpdate, nlriRun, sessionContext } from '@weir/bgp/codec';
import { systemClock } from '@weir/bgp/session';
import { Writer } from '@weir/wire/bytes';
import { asn, ip4, makePrefix } from '@weir/wire/inet';
import { BgpSource } from '../apps/weir/src/sources/bgp/index.ts';
import { NO_SESSIONS } from '../apps/weir/src/sources/bgp/test-session.ts';
import { ExabgpSpeaker } from '../apps/weir/src/sources/exabgp/index.ts';
import { RouteState } from '../apps/weir/src/state/index.ts';
import { standard, testConfig, testPeer, testSet } from '../apps/weir/src/state/test-fixtures.ts';
import type { Bench, BenchOptions, Row } from './bench.ts';

const PYTHON = '/usr/bin/python3';
const EXABGP = '/usr/lib/python3/dist-packages/exabgp';
const CHUNK = 65536;
const MAX_OUTPUT = 512 * 1024 * 1024;

/** `count` UPDATEs of so many host routes each, with attributes of which 500 are different. */
function updates(count: number, routes: number): Uint8Array {
  const w = new Writer();
  for (let i = 0; i < count; i++) {
    const run = nlriRun(
      'ipv4 unicast',
      Array.from({ length: routes }, (_, k) => makePrefix(ip4((0x0a000000 + i * routes + k) >>> 0), 32)),
    );
    const attributes = {
      origin: 'igp' as const,
      asPath: [{ kind: 'sequence' as const, asns: [64513, 65000 + (i % 500)].map(asn) }],
      communities: [0xfc000050, 0xfc010000 + (i % 500)],
    };
    for (const bytes of encodeUpdate({ attributes, announce: [{ nextHop: { address: ip4(0xc0000202) }, run }] }, sessionContext()))
      w.bytes(bytes);
  }
  return w.finish();
}

/** Seconds from the first octet to the last route in the state; throws unless all of them are members. */
function adapt(lines: Uint8Array, routes: number): number {
  const peer = testPeer('peer', 2, { as: asn(64513), via: 'exabgp' });
  const config = testConfig([peer], [testSet('web', { communities: [standard(64512, 80)] })]);
  const events = (): void => undefined;
  const state = new RouteState({ clock: systemClock });
  state.configure(config);
  const exabgp = new ExabgpSpeaker({ config, clock: systemClock, events });
  const source = new BgpSource({ config, state, events, restarting: false, speaker: () => NO_SESSIONS, exabgp });
  const feed = exabgp.openFeed(() => undefined);
  const started = performance.now();
  for (let at = 0; at < lines.length; at += CHUNK) feed.push(lines.subarray(at, at + CHUNK));
  const seconds = (performance.now() - started) / 1000;
  const { bad } = exabgp.counts;
  const members = state.counts().sets[0]?.installed;
  void source.close();
  if (bad > 0 || members !== routes) throw new Error(`${members} of ${routes} members, ${bad} bad lines`);
  return seconds;
}

function measure(what: string, count: number, routes: number, smoke: boolean): Row {
  const ran = spawnSync(PYTHON, [join(import.meta.dirname, 'exabgp-adapter-lines.py')], {
    input: updates(count, routes),
    maxBuffer: MAX_OUTPUT,
  });
  if (ran.status !== 0) throw new Error(`exabgp: ${ran.stderr}`);
  const [spent, version = ''] = ran.stderr.toString().trim().split(' ');
  const lines = Uint8Array.from(ran.stdout);
  adapt(lines, count * routes);
  const seconds = Math.min(...Array.from({ length: smoke ? 1 : 3 }, () => adapt(lines, count * routes)));
  const theirs = count / Number(spent);
  return {
    what,
    lines: count,
    routes: count * routes,
    MB: Number((lines.length / 1e6).toFixed(1)),
    'lines/s': Math.round(count / seconds),
    'routes/s': Math.round((count * routes) / seconds),
    peer: `ExaBGP ${version}`,
    peerFigure: Math.round(theirs),
    ratio: Number((count / seconds / theirs).toFixed(1)),
  };
}

export const bench: Bench = {
  name: 'exabgp-adapter',
  summary: "lines of ExaBGP's to members of a set, beside ExaBGP decoding and printing them; the best of 3 rounds",
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    if (!existsSync(PYTHON) || !existsSync(EXABGP)) return [{ peer: 'ExaBGP', note: 'exabgp is not installed' }];
    const scale = smoke ? 0.02 : 1;
    return [
      measure('1 route a line', 50_000 * scale, 1, smoke),
      measure('5 routes a line', 20_000 * scale, 5, smoke),
      measure('200 routes a line', 500 * scale, 200, smoke),
    ];
  },
};
