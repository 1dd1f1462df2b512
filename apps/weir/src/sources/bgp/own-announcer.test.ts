import { type FamilyName, type Message, prefixAt, sessionContext } from '@weir/bgp/codec';
import { parseFlow, printFlow } from '@weir/bgp/flowspec';
import { ip, prefix, printIp, printPrefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { DistributeConfig } from '../../model/distribute.ts';
import { OwnAnnouncer, type OwnPrefix } from './own-announcer.ts';
import { PeerTables } from './peer-tables.ts';
import { TestOutgoing } from './test-session.ts';

const FAMILIES: readonly FamilyName[] = ['ipv4 unicast', 'ipv6 unicast', 'ipv4 flow'];
const BLACKHOLE = 0xffff_029a;

function own(text: string, peers: readonly string[], more: Partial<OwnPrefix> = {}): OwnPrefix {
  return { prefix: prefix(text), communities: [BLACKHOLE], largeCommunities: [], nextHop: undefined, peers, ...more };
}

/** A session that keeps what it is told, in words. */
class Session extends TestOutgoing {
  readonly context = sessionContext({ families: FAMILIES });
  override readonly enhancedRefresh = true;
  override readonly localAddress = '192.0.2.2';
  #said: string[] = [];

  protected take(message: Message): void {
    if (message.kind === 'route-refresh') this.#said.push(`refresh ${message.subtype}`);
    if (message.kind !== 'update') return;
    const { communities = [] } = message.attributes;
    for (const { run, nextHop } of message.announce)
      for (let i = 0; i < run.count; i++)
        this.#said.push(`+ ${printPrefix(prefixAt(run, i))} via ${nextHop && printIp(nextHop.address)} ${communities.length}`);
    for (const run of message.withdraw) for (let i = 0; i < run.count; i++) this.#said.push(`- ${printPrefix(prefixAt(run, i))}`);
    for (const { run } of message.announceFlows) for (const { rule } of run.routes) this.#said.push(`+ ${printFlow(rule)}`);
    if (message.endOfRib) this.#said.push(`end of ${message.endOfRib}`);
  }

  async said(): Promise<readonly string[]> {
    await Promise.resolve();
    const said = this.#said;
    this.#said = [];
    return said;
  }
}

const ENDS = FAMILIES.map((name) => `end of ${name}`);
const FLOW = 'flow4 { dst 203.0.113.7/32; }';

function flow() {
  const parsed = parseFlow(FLOW);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return { rule: parsed.rule, actions: [], peers: ['a'] };
}

describe('what Weir announces', () => {
  test('is flow rules, prefixes and then the end of every family, once', async () => {
    const announcer = new OwnAnnouncer();
    announcer.flows.announce(flow());
    announcer.announce(own('203.0.113.9/32', ['a']));
    announcer.announce(own('2001:db8::9/128', ['a'], { nextHop: ip('100::1') }));
    const [a, b] = [new Session('a'), new Session('b')];
    announcer.established(a);
    announcer.established(b);
    expect(await a.said()).toEqual([`+ ${FLOW}`, '+ 203.0.113.9/32 via 192.0.2.2 1', '+ 2001:db8::9/128 via 100::1 1', ...ENDS]);
    expect(await b.said()).toEqual(ENDS);
    announcer.withdraw(prefix('203.0.113.9/32'));
    expect(await a.said()).toEqual(['- 203.0.113.9/32']);
  });

  test('the end of a family waits for what comes before it', async () => {
    const announcer = new OwnAnnouncer();
    announcer.flows.announce(flow());
    announcer.announce(own('203.0.113.9/32', ['a']));
    const a = new Session('a');
    a.room = 0;
    announcer.established(a);
    a.room = 2;
    announcer.drained('a');
    expect(await a.said()).toEqual([`+ ${FLOW}`, '+ 203.0.113.9/32 via 192.0.2.2 1']);
    a.room = Number.POSITIVE_INFINITY;
    announcer.drained('a');
    expect(await a.said()).toEqual(ENDS);
  });

  test('is said again when the peer asks for that family', async () => {
    const announcer = new OwnAnnouncer();
    announcer.flows.announce(flow());
    announcer.announce(own('203.0.113.9/32', ['a']));
    const a = new Session('a');
    announcer.established(a);
    await a.said();
    announcer.refresh('a', 'ipv4 unicast');
    expect(await a.said()).toEqual(['refresh 1', '+ 203.0.113.9/32 via 192.0.2.2 1', 'refresh 2']);
    announcer.refresh('a', 'ipv4 flow');
    expect(await a.said()).toEqual(['refresh 1', `+ ${FLOW}`, 'refresh 2']);
  });

  test('a prefix that two ask for has the attributes of the first and the peers of both', async () => {
    const announcer = new OwnAnnouncer();
    const [a, b] = [new Session('a'), new Session('b')];
    announcer.established(a);
    announcer.established(b);
    announcer.announce(own('203.0.113.9/32', ['b']), 1);
    announcer.announce(own('203.0.113.9/32', ['a'], { communities: [BLACKHOLE, 1] }), 0);
    expect((await a.said()).at(-1)).toBe('+ 203.0.113.9/32 via 192.0.2.2 2');
    expect((await b.said()).at(-1)).toBe('+ 203.0.113.9/32 via 192.0.2.2 2');
    expect(announcer.withdraw(prefix('203.0.113.9/32'), 0)).toBe(true);
    expect(await a.said()).toEqual(['- 203.0.113.9/32']);
    expect(await b.said()).toEqual(['+ 203.0.113.9/32 via 192.0.2.2 1']);
    expect([announcer.withdraw(prefix('203.0.113.9/32'), 1), announcer.withdraw(prefix('203.0.113.9/32'), 1)]).toEqual([true, false]);
  });

  test('who is told: sessions that carry the family and have a next hop for it', () => {
    const announcer = new OwnAnnouncer();
    announcer.established(new Session('a'));
    const rows = [
      own('203.0.113.9/32', ['a', 'b']),
      own('2001:db8::9/128', ['a']),
      own('2001:db8::9/128', ['a'], { nextHop: ip('100::1') }),
    ];
    expect(rows.map((row) => announcer.toldTo(row))).toEqual([['a'], [], ['a']]);
    announcer.down('a');
    expect(announcer.toldTo(own('203.0.113.9/32', ['a']))).toEqual([]);
  });
});

describe('tables of networks for peers that have a name', () => {
  const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
  const table = (name: string, value: number): DistributeConfig['tables'][number] => ({
    name,
    communities: [{ kind: 'standard', value }],
    maxPrefixes: 100,
    allowProtected: false,
    aggregate: false,
    span,
  });
  const config: DistributeConfig = {
    tables: [table('admins', 1), table('spammers', 2)],
    clients: [],
    peers: [{ peer: 'hub', tables: ['admins', 'spammers'], span }],
    nextHop: { 4: undefined, 6: undefined },
    span,
  };
  const one = prefix('203.0.113.1/32');

  function bed(): { readonly announcer: OwnAnnouncer; readonly tables: PeerTables; readonly put: (...names: readonly string[]) => void } {
    const announcer = new OwnAnnouncer();
    let present: readonly string[] = [];
    const tables = new PeerTables({ announcer, config, tablesOf: (asked) => (printPrefix(asked) === printPrefix(one) ? present : []) });
    return {
      announcer,
      tables,
      put: (...names) => {
        present = names;
        tables.changed(one);
      },
    };
  }

  test('are told beside what is announced by hand, and the end comes once', async () => {
    const { announcer, put } = bed();
    put('admins');
    announcer.announce(own('198.51.100.9/32', ['hub', 'other']));
    const [hub, other] = [new Session('hub'), new Session('other')];
    for (const session of [hub, other]) announcer.established(session);
    const ends = FAMILIES.map((name) => `end of ${name}`);
    expect(await hub.said()).toEqual(['+ 203.0.113.1/32 via 192.0.2.2 1', '+ 198.51.100.9/32 via 192.0.2.2 1', ...ends]);
    expect(await other.said()).toEqual(['+ 198.51.100.9/32 via 192.0.2.2 1', ...ends]);
    put('admins', 'spammers');
    expect(await hub.said()).toEqual(['+ 203.0.113.1/32 via 192.0.2.2 2']);
    put();
    expect([await hub.said(), await other.said()]).toEqual([['- 203.0.113.1/32'], []]);
  });

  test('are one route with a blackhole of the same prefix, whichever comes and goes first', async () => {
    const { announcer, put } = bed();
    const hub = new Session('hub');
    announcer.established(hub);
    await hub.said();
    put('admins');
    announcer.announce(own('203.0.113.1/32', ['hub'], { nextHop: ip('192.0.2.66') }));
    expect(await hub.said()).toEqual(['+ 203.0.113.1/32 via 192.0.2.66 2']);
    put();
    expect(await hub.said()).toEqual(['+ 203.0.113.1/32 via 192.0.2.66 1']);
    put('spammers');
    await hub.said();
    announcer.withdraw(one);
    expect(await hub.said()).toEqual(['+ 203.0.113.1/32 via 192.0.2.2 1']);
    put();
    expect(await hub.said()).toEqual(['- 203.0.113.1/32']);
  });

  test('are what another configuration says', async () => {
    const { announcer, tables, put } = bed();
    const hub = new Session('hub');
    announcer.established(hub);
    put('admins');
    await hub.said();
    const all = (): Iterable<{ prefix: typeof one }> => [{ prefix: one }];
    tables.configure({ ...config, peers: [{ peer: 'hub', tables: ['spammers'], span }] }, all);
    expect(await hub.said()).toEqual(['- 203.0.113.1/32']);
    tables.configure(config, all);
    expect(await hub.said()).toEqual(['+ 203.0.113.1/32 via 192.0.2.2 1']);
    tables.configure(undefined, all);
    expect(await hub.said()).toEqual(['- 203.0.113.1/32']);
  });
});
