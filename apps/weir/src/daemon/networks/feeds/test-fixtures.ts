import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ip, printPrefix } from '@weir/wire/inet';
import type { Config } from '../../../model/config.ts';
import { loadText } from '../../../sources/config/memory-files.ts';
import { TestClock } from '../../../state/test-fixtures.ts';
import { Feeds, Networks } from '../index.ts';

const HEAD = `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [{ name: core, address: 192.0.2.9, as: 64513 }] }
protected: [192.0.2.128/25]
distribute:
  tables:
    spammers: { communities: ["65000:2"], max_prefixes: 3000 }
    admins: { communities: ["65000:1"], allow_protected: true }
`;

let directory = '';
let closing: (() => Promise<void>)[] = [];
const servers: Server[] = [];
/** What went wrong; a test takes out what it expects. */
export const errors: string[] = [];
/** `feed message`, as they are told. */
export const events: string[] = [];

/** Before each test: a state directory of its own. */
export function prepare(): void {
  directory = mkdtempSync(join(tmpdir(), 'weir-feeds-'));
  mkdirSync(join(directory, 'state'));
  errors.length = 0;
  events.length = 0;
}

/** After each test: the end of what it has begun. Throws where something went wrong that it did not expect. */
export async function dispose(): Promise<void> {
  for (const close of closing.splice(0).reverse()) await close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(directory, { recursive: true });
  if (errors.length > 0) throw new Error(errors.join('\n'));
}

/** The port of a server on the loopback, which ends with the test. */
export async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function configOf(feeds: string): Config {
  const { config, diagnostics } = loadText(`${HEAD}feeds: ${feeds}\n`);
  if (!config) throw new Error(diagnostics.map(({ message }) => message).join());
  return config;
}

/** Feeds as the daemon has them. */
export interface Running {
  readonly feeds: Feeds;
  readonly networks: Networks;
  readonly configure: (feeds: string) => void;
  readonly addresses: Ip[];
  readonly close: () => Promise<void>;
}

/** With what an earlier one of the same test has left in the state directory. */
export function start(text: string, clock: TestClock = new TestClock()): Running {
  let config = configOf(text);
  const addresses: Ip[] = [];
  const options = { stateDirectory: join(directory, 'state'), config: () => config, onError: (error: Error) => errors.push(error.message) };
  const networks = new Networks(options);
  const feeds = new Feeds({
    ...options,
    clock,
    networks,
    hostAddresses: () => addresses,
    events: (event) => {
      if (event.kind === 'feed') events.push(`${event.feed} ${event.message.replaceAll(directory, '')}`);
    },
  });
  clock.advance(0);
  const close = async (): Promise<void> => {
    closing = closing.filter((one) => one !== close);
    await feeds.close();
    await networks.close();
  };
  closing.push(close);
  return {
    feeds,
    networks,
    addresses,
    close,
    configure: (next) => {
      config = configOf(next);
      feeds.configured();
      clock.advance(0);
    },
  };
}

export const file = (name = 'list'): string => join(directory, name);
export const one = (more = '', name = 'drop', table = 'spammers'): string => `{ name: ${name}, table: ${table}, file: ${file()}, ${more} }`;
export const write = (lines: readonly string[], name = 'list'): void => writeFileSync(file(name), `${lines.join('\n')}\n`);
export const hosts = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `198.51.${100 + (i >> 8)}.${i & 255}`);

/** What is in a table and who has it there, in order. */
export function held({ networks }: Running, table = 'spammers'): readonly string[] {
  return [...networks.tables.all()]
    .flatMap(({ prefix, memberships }) =>
      memberships.flatMap((m) => (m.table === table ? [`${printPrefix(prefix)} ${m.note.source.kind}`] : [])),
    )
    .sort();
}

/** How it ended: what is in the table, or why not. */
export async function refresh({ feeds }: Running, name = 'drop', force = false): Promise<unknown> {
  try {
    return await feeds.refresh(name, force, 'uid 0');
  } catch (error) {
    return (error as Error).message.replaceAll(directory, '');
  }
}

export async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  if (!what()) throw new Error(`not within 20 s: ${what}`);
}
