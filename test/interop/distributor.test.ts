import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Weir } from '../e2e/weir.ts';
import { runCommand, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { type Client, distributorExample, holds, startFleet, withoutPf } from './distributor-lab.ts';

const [admin, spammer, both, later] = [
  '203.0.113.1/32 65000:1',
  '203.0.113.64/26 65000:2',
  '2001:db8:a:5::/64 65000:1 65000:2',
  '203.0.113.9/32 65000:2',
];
/** As the relay sees it, which may not have the admins. */
const half = '2001:db8:a:5::/64 65000:2';

async function network(weir: Weir, ...args: readonly string[]): Promise<string> {
  return (await weir.command('network', ...args, '--socket', weir.socket)).stdout;
}

/** Looks again and again at what clients hold, from now on until it is asked what was missing. */
class Watch {
  readonly #missing: string[] = [];
  readonly #looking: readonly Promise<number>[];
  #over = false;

  constructor(clients: readonly Client[], prefixes: readonly string[]) {
    this.#looking = clients.map((client) => this.#look(client, prefixes));
  }

  async #look(client: Client, prefixes: readonly string[]): Promise<number> {
    for (let looks = 0; ; looks++) {
      if (this.#over) return looks;
      const held = await client.held();
      for (const prefix of prefixes) if (!held.some((one) => one.startsWith(`${prefix} `))) this.#missing.push(`${client.name}: ${prefix}`);
      await sleep(20);
    }
  }

  async end(): Promise<readonly string[]> {
    this.#over = true;
    for (const looks of await Promise.all(this.#looking)) expect(looks).toBeGreaterThan(2);
    return [...new Set(this.#missing)];
  }
}

describe('tables of networks', () => {
  test("the portable OpenBGPD refuses pf's tables and nothing else of the example", async () => {
    const path = join(labForTest().directory('openbgpd'), 'bgpd.conf');
    const check = async (text: string): Promise<string> => {
      writeFileSync(path, text, { mode: 0o600 });
      const { stdout, stderr } = await runCommand('/usr/sbin/bgpd', ['-n', '-f', path], { allowFailure: true });
      return stdout + stderr;
    };
    const text = distributorExample('openbgpd.conf');
    expect(await check(text)).toMatch(/^(?:pftable not supported\n\S+:\d+: Couldn't register table\n){2}$/);
    expect(await check(withoutPf(text))).toBe('configuration OK\n');
  });

  test('are what each client may have, over changes and restarts of the distributor', { timeout: 400_000 }, async () => {
    const lab = labForTest();
    const { weir, clients } = await startFleet(lab);
    const all = clients.filter(({ name }) => name !== 'relay');
    const relay = clients.filter(({ name }) => name === 'relay');
    // ExaBGP has no table: it says that the session is lost, and what to make of that is its program's business.
    const keeping = clients.filter(({ name }) => name !== 'exabgp');
    const become = async (wanted: readonly string[], relayWanted: readonly string[]): Promise<void> => {
      for (const client of all) await holds(client, wanted);
      for (const client of relay) await holds(client, relayWanted);
    };

    expect(await network(weir, 'add', '203.0.113.1', '--table', 'admins', '--comment', 'on call')).toBe('1 added, 0 updated, 0 removed\n');
    await network(weir, 'add', '203.0.113.64/26', '--table', 'spammers');
    await network(weir, 'add', '2001:db8:a:5::/64', '--table', 'admins', '--table', 'spammers');
    await become([admin, spammer, both], [spammer, half]);
    const inKernel = [await weir.host.ip('-4', 'route', 'show', 'table', 'all'), await weir.host.ip('-6', 'route', 'show', 'table', 'all')];
    expect(inKernel.join('')).toContain('192.0.2.');
    expect(inKernel.join('')).not.toMatch(/203\.0\.113\.|2001:db8:a:5:/);

    // What they ask for again comes again.
    for (const client of clients) {
      if (!client.refresh || !client.updates) continue;
      const before = await client.updates();
      await client.refresh();
      await waitFor(`${client.name} to be told again`, async () => ((await client.updates?.()) ?? 0) > before, { timeoutMs: 60_000 });
    }
    await become([admin, spammer, both], [spammer, half]);

    const lossesBefore = await told(clients);
    const restart = async (end: () => Promise<void>, meanwhile: () => Promise<void>, kept: readonly string[]): Promise<void> => {
      const held = kept.filter((prefix) => prefix !== '203.0.113.1/32');
      const watches = [
        new Watch(
          keeping.filter(({ name }) => name !== 'relay'),
          kept,
        ),
        new Watch(relay, held),
      ];
      await end();
      await meanwhile();
      await weir.start();
      for (const client of clients) await client.up();
      // Longer than End-of-RIB takes to arrive.
      await sleep(1000);
      expect(await Promise.all(watches.map((watch) => watch.end()))).toEqual([[], []]);
    };
    const prefixes = ['203.0.113.1/32', '203.0.113.64/26', '2001:db8:a:5::/64'];
    await restart(
      () => weir.kill(),
      () => sleep(3000),
      prefixes,
    );
    await become([admin, spammer, both], [spammer, half]);
    await restart(
      () => weir.stop(),
      () => sleep(3000),
      prefixes,
    );
    await become([admin, spammer, both], [spammer, half]);
    expect(await told(clients)).toEqual(lossesBefore);

    // Changed while nobody hears of it: right when the End-of-RIB has come, and the rest stays all the time.
    await restart(() => weir.stop(), async () => {
      weir.configure(distributorExample('distributor.yaml').replace('listen: [192.0.2.1]', 'listen: [127.0.0.1]'));
      await weir.start();
      await network(weir, 'delete', '203.0.113.64/26');
      await network(weir, 'add', '203.0.113.9', '--table', 'spammers');
      await weir.stop();
      weir.configure(distributorExample('distributor.yaml'));
    }, ['203.0.113.1/32', '2001:db8:a:5::/64']);
    await become([admin, later, both], [later, half]);
    for (const [index, [name, losses]] of (await told(clients)).entries())
      for (const loss of losses.slice(lossesBefore[index]?.[1].length))
        expect([name, loss]).toEqual([name, expect.stringContaining('203.0.113.64')]);

    await network(weir, 'delete', '2001:db8:a:5::/64', '--table', 'spammers');
    await become([admin, later, '2001:db8:a:5::/64 65000:1'], [later]);
    expect(await network(weir, 'dump', '--table', 'admins')).toBe('203.0.113.1/32\n2001:db8:a:5::/64\n');
    expect(await network(weir, 'show', '--table', 'admins')).toContain('on call');
    await network(weir, 'replace', '203.0.113.1', '--table', 'spammers');
    await network(weir, 'delete', '203.0.113.9', '2001:db8:a:5::/64');
    await become(['203.0.113.1/32 65000:2'], ['203.0.113.1/32 65000:2']);
    // Those that say what goes have said it.
    for (const [name, losses] of await told(clients)) expect([name, losses.length > 0]).toEqual([name, true]);
  });
});

/** What each says has gone. */
async function told(clients: readonly Client[]): Promise<readonly (readonly [string, readonly string[]])[]> {
  return await Promise.all(
    clients.flatMap((client) => (client.losses ? [client.losses().then((losses) => [client.name, losses] as const)] : [])),
  );
}
