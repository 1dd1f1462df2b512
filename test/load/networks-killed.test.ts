import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ConnectionError, ControlClient } from '../../apps/weir/src/api/index.ts';
import { Weir } from '../e2e/weir.ts';
import { labForTest } from '../lab/vitest.ts';
import { after, type Members, type Operation, textOf } from './networks/model.ts';

const KILLS = 5;
const WRITERS = 2;
const TABLES = ['admins', 'spammers'] as const;

const CONFIG = `bgp: { as: 64512, router_id: 192.0.2.1, listen: [127.0.0.1], peers: [] }
distribute:
  tables:
    admins: { communities: ["65000:1"] }
    spammers: { communities: ["65000:2"] }
`;

interface Writer {
  readonly number: number;
  /** What was acknowledged. */
  members: Members;
  /** What was asked for and not acknowledged. */
  open: Operation | undefined;
  done: number;
}

/** What a writer does at its turn: prefixes of its own, some of which it has already. */
function operation({ number, members, done }: Writer): Operation {
  const prefix = (i: number): string => `10.${number}.${i % 64}.0/24`;
  const [gone] = members.keys();
  if (done % 5 === 4 && gone !== undefined) return { kind: 'delete', prefixes: [gone] };
  const prefixes = [prefix(done * 7), prefix(done * 7 + 1)];
  return { kind: done % 3 === 2 ? 'replace' : 'add', prefixes, tables: [TABLES[done % 2] ?? 'admins'] };
}

function ask(client: ControlClient, one: Operation): Promise<unknown> {
  if (one.kind === 'delete') return client.call('network-delete', { prefixes: one.prefixes });
  return client.call(one.kind === 'replace' ? 'network-replace' : 'network-add', { prefixes: one.prefixes, tables: [...one.tables] });
}

/** Writes until the daemon is gone. */
async function write(socket: string, writer: Writer): Promise<void> {
  const client = await ControlClient.connect(socket);
  try {
    for (;;) {
      const one = operation(writer);
      writer.open = one;
      await ask(client, one);
      writer.members = after(writer.members, one);
      writer.open = undefined;
      writer.done++;
    }
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
  } finally {
    client.close();
  }
}

async function members(weir: Weir): Promise<readonly Members[]> {
  const out = Array.from({ length: WRITERS }, () => new Map<string, readonly string[]>());
  const answer = await weir.ask((client) => client.call('networks', { limit: 1000 }));
  expect(answer?.cursor).toBeUndefined();
  for (const { prefix, tables } of answer?.networks ?? [])
    out[Number(prefix.split('.')[1])]?.set(prefix, tables.map(({ table }) => table).sort());
  return out;
}

test('what the daemon has acknowledged is there after it was killed', { timeout: 240_000 }, async () => {
  const lab = labForTest();
  const weir = new Weir(lab, await lab.host('server'), CONFIG);
  const writers = Array.from({ length: WRITERS }, (_, number): Writer => ({ number, members: new Map(), open: undefined, done: 0 }));
  await weir.start();
  for (let kill = 0; kill < KILLS; kill++) {
    const before = writers.map(({ done }) => done);
    const writing = writers.map((writer) => write(weir.socket, writer));
    while (writers.some(({ done }, i) => done < (before[i] ?? 0) + 5)) await sleep(5);
    await sleep((kill * 37) % 50);
    await weir.kill();
    await Promise.all(writing);
    await weir.start();
    for (const [i, there] of (await members(weir)).entries()) {
      const writer = writers[i] as Writer;
      const without = textOf(writer.members);
      const whole = writer.open ? after(writer.members, writer.open) : writer.members;
      expect([without, textOf(whole)]).toContain(textOf(there));
      writer.members = there;
      writer.open = undefined;
    }
  }
  expect(writers.every(({ done }) => done >= 5 * KILLS)).toBe(true);
});
