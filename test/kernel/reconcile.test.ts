import { type Prefix, prefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import type { Config } from '../../apps/weir/src/model/config.ts';
import type { KernelPort } from '../../apps/weir/src/model/kernel-port.ts';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';
import { restoreImage } from '../../apps/weir/src/reconcile/index.ts';
import { type Host, waitFor } from '../lab/index.ts';
import { KernelPortBed } from './kernel-port-bed.ts';

const USER = `
bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
    - { name: core, address: 192.0.2.2, as: 64512 }
sets:
  web_allowed:
    kind: allow
    communities: ["64512:80"]
    guard: { prefixes: [203.0.113.0/24, "2001:db8::/32"], peers: [core] }
    on_session_loss: hold 2m
    on_withdraw: cut
    nft: { family: inet, table: core_fw, ipv4: web_v4, ipv6: web_v6 }
`;
const TABLE = (flags: string) => `table inet core_fw {
  set web_v4 { type ipv4_addr; ${flags} }
  set web_v6 { type ipv6_addr; ${flags} }
}
`;
const OWNED = `${USER.replace(/\n {4}nft:.*\n/, '\n')}
firewall:
  table: weir_fw
  borders:
    - { name: uplink, from: [eth0], to: [eth1], allow: [{ set: web_allowed, protocol: tcp, ports: [80, 443] }] }
`;

let bed: KernelPortBed;
let host: Host;
const config = (text: string): Config => bed.config(text);
const open = (): Promise<KernelPort> => bed.open();

beforeEach(async () => {
  bed = await KernelPortBed.create();
  host = bed.host;
});
afterEach(() => bed.close());

function delta(wanted: boolean, texts: readonly string[], complete = false, set = 'web_allowed'): MemberDelta[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = texts.map(prefix).filter((p) => p.family === family);
    if (own.length === 0 && !complete) return [];
    const words = own.flatMap((p: Prefix) => (family === 4 ? [p.w0] : [p.w0, p.w1, p.w2, p.w3]));
    return [
      {
        set,
        family,
        complete,
        count: own.length,
        words: Uint32Array.from(words),
        lengths: Uint8Array.from(own, (p) => p.length),
        wanted: new Uint8Array(own.length).fill(wanted ? 1 : 0),
        oldest: performance.timeOrigin + performance.now(),
      },
    ];
  });
}

/** Elements of a set as nft prints them. */
async function elements(set: string, table = 'core_fw'): Promise<string[]> {
  const objects = await host.nftJson('set', 'inet', table, set);
  const found = objects.find((o) => 'set' in o)?.['set']?.['elem'] as unknown[] | undefined;
  return (found ?? [])
    .map((e) => {
      if (typeof e === 'string') return e;
      const o = e as { prefix?: { addr: string; len: number }; range?: [string, string] };
      return o.prefix ? `${o.prefix.addr}/${o.prefix.len}` : (o.range?.join('-') ?? JSON.stringify(e));
    })
    .sort();
}

describe('sets of the user', () => {
  it('an interval set has the widest of nested prefixes, and gets the narrower ones back', async () => {
    await host.nft(TABLE('flags interval;'));
    const port = await open();
    expect(await port.configure(config(USER))).toEqual([]);
    await port.apply(delta(true, ['203.0.113.5/32', '203.0.113.128/25', '2001:db8::/48', '2001:db8::1/128']));
    expect(await elements('web_v4')).toEqual(['203.0.113.128/25', '203.0.113.5']);
    expect(await elements('web_v6')).toEqual(['2001:db8::/48']);
    await port.apply(delta(true, ['203.0.113.0/24']));
    expect(await elements('web_v4')).toEqual(['203.0.113.0/24']);
    await port.apply(delta(false, ['203.0.113.0/24', '2001:db8::/48']));
    expect(await elements('web_v4')).toEqual(['203.0.113.128/25', '203.0.113.5']);
    expect(await elements('web_v6')).toEqual(['2001:db8::1']);
    await port.apply(delta(true, [], true));
    expect(await elements('web_v4')).toEqual([]);
  });

  it('the highest addresses are ranges without an end', async () => {
    await host.nft(TABLE('flags interval;'));
    const port = await open();
    await port.configure(config(USER));
    await port.apply(delta(true, ['255.255.255.0/24', '0.0.0.0/8', 'ffff::/16']));
    expect(await elements('web_v4')).toEqual(['0.0.0.0/8', '255.255.255.0/24']);
    expect(await elements('web_v6')).toEqual(['ffff::/16']);
    await port.apply(delta(false, ['255.255.255.0/24', '0.0.0.0/8', 'ffff::/16']));
    expect(await elements('web_v4')).toEqual([]);
    expect(await elements('web_v6')).toEqual([]);
  });

  it('a hash set takes hosts and reports prefixes as unfit', async () => {
    await host.nft(TABLE(''));
    const port = await open();
    await port.configure(config(USER));
    await port.apply(delta(true, ['203.0.113.5/32', '203.0.113.0/24']));
    expect(await elements('web_v4')).toEqual(['203.0.113.5']);
    const status = await port.status();
    expect(status.sets[0]).toMatchObject({ representation: 'hash', installed: 1, wanted: 2 });
    expect(status.sets[0]?.unfit.map((p) => p.length)).toEqual([24]);
  });

  it('a second process over the same ledger sends nothing and takes over what was added', async () => {
    await host.nft(TABLE('flags interval;'));
    const first = await open();
    await first.configure(config(USER));
    await first.apply(delta(true, ['203.0.113.5/32', '203.0.113.128/25', '2001:db8::1/128']));
    await first.close({ clear: false });
    const second = await open();
    const found = await second.configure(config(USER));
    expect(found.map((c) => [c.set, c.family, c.count])).toEqual([
      ['web_allowed', 4, 2],
      ['web_allowed', 6, 1],
    ]);
    await second.apply(delta(true, ['203.0.113.5/32', '203.0.113.128/25', '2001:db8::1/128'], true));
    expect((await second.status()).elementsSent).toBe(0);
    await second.apply(delta(true, ['203.0.113.5/32'], true));
    expect(await elements('web_v4')).toEqual(['203.0.113.5']);
  });

  it('elements of others are never touched; what they keep out comes in when they go', async () => {
    await host.nft(`${TABLE('flags interval;')}add element inet core_fw web_v4 { 203.0.113.0/28, 198.51.100.1 }\n`);
    const port = await open();
    await port.configure(config(USER));
    await port.apply(delta(true, ['203.0.113.5/32', '203.0.113.64/26', '203.0.113.0/24']));
    expect(await elements('web_v4')).toEqual(['198.51.100.1', '203.0.113.0/28', '203.0.113.64/26']);
    const status = await port.status();
    expect(status.sets[0]).toMatchObject({ foreign: 2, installed: 1 });
    expect(status.problems.map((p) => p.kind)).toEqual(['conflict']);
    await host.nft('delete element inet core_fw web_v4 { 203.0.113.0/28 }');
    await waitFor('the prefix that was kept out', async () => (await elements('web_v4')).includes('203.0.113.0/24'));
    expect(await elements('web_v4')).toEqual(['198.51.100.1', '203.0.113.0/24']);
    await port.apply(delta(true, [], true));
    expect(await elements('web_v4')).toEqual(['198.51.100.1']);
  });

  it.each([
    ['an element is deleted', 'delete element inet core_fw web_v4 { 203.0.113.5 }'],
    ['the set is flushed', 'flush set inet core_fw web_v4'],
    ['the table is loaded again', `delete table inet core_fw\n${TABLE('flags interval;')}`],
  ])('drift is repaired: %s', async (_, script) => {
    await host.nft(TABLE('flags interval;'));
    const port = await open();
    await port.configure(config(USER));
    await port.apply(delta(true, ['203.0.113.5/32', '203.0.113.128/25']));
    await host.nft(script);
    await waitFor('the repair', async () => (await elements('web_v4')).length === 2);
    await waitFor('its event', async () => bed.events.some((e) => e.kind === 'drift' && e.set === 'web_allowed' && e.repaired));
  });

  it('a missing set is a problem with the text that makes it, and is filled when it comes', async () => {
    const port = await open();
    await port.configure(config(USER));
    await port.apply(delta(true, ['203.0.113.5/32']));
    const [problem] = (await port.status()).problems;
    expect(problem).toMatchObject({ kind: 'table-missing', subject: 'web_allowed' });
    for (const p of (await port.status()).problems) await host.nft(p.remedy!);
    await waitFor('the set to be filled', async () => (await elements('web_v4')).length === 1);
    await waitFor('the problems to be over', async () => (await port.status()).problems.length === 0);
  });

  it('clear removes what was added and nothing else', async () => {
    await host.nft(`${TABLE('flags interval;')}add element inet core_fw web_v4 { 198.51.100.1 }\n`);
    const port = await open();
    await port.configure(config(USER));
    await port.apply(delta(true, ['203.0.113.5/32']));
    await port.close({ clear: true });
    expect(await elements('web_v4')).toEqual(['198.51.100.1']);
  });

  it('a renamed set with the same target sends nothing', async () => {
    await host.nft(TABLE('flags interval;'));
    const port = await open();
    await port.configure(config(USER));
    await port.apply(delta(true, ['203.0.113.5/32']));
    const before = (await port.status()).elementsSent;
    await port.configure(config(USER.replace('web_allowed', 'services')));
    await port.apply(delta(true, ['203.0.113.5/32'], true, 'services'));
    expect((await port.status()).elementsSent).toBe(before);
    expect(await elements('web_v4')).toEqual(['203.0.113.5']);
  });
});

describe('the table that Weir owns', () => {
  const rules = async (): Promise<string> => (await host.exec('nft', ['list', 'table', 'inet', 'weir_fw'])).stdout;

  it('is written once; a second start changes no rule', async () => {
    const port = await open();
    await port.configure(config(OWNED));
    await port.apply(delta(true, ['203.0.113.5/32', '203.0.113.128/25']));
    const text = await rules();
    expect(text).toContain('allow web_allowed tcp 80,443');
    expect(text).toContain('203.0.113.128/25');
    await port.close({ clear: false });
    const second = await open();
    await second.configure(config(OWNED));
    expect(await rules()).toBe(text);
    expect((await second.status()).elementsSent).toBe(0);
  });

  it('survives the flush of another process', async () => {
    const port = await open();
    await port.configure(config(OWNED));
    await port.apply(delta(true, ['203.0.113.5/32']));
    await host.nft('flush ruleset');
    expect(await rules()).toContain('203.0.113.5');
    expect((await port.status()).ownedTable).toEqual({ name: 'weir_fw', owner: true, persist: true });
  });

  it('is loaded at boot with its members', async () => {
    const port = await open();
    await port.configure(config(OWNED));
    await port.apply(delta(true, ['203.0.113.5/32', '203.0.113.128/25', '2001:db8::1/128']));
    // The owner is a socket: who holds it is not part of the table.
    const body = (text: string): string => text.slice(text.indexOf('comment'));
    const text = body(await rules());
    await port.close({ clear: false });
    const other = await bed.another('rebooted');
    const report = restoreImage(new NftBackend({ netns: other.path }), bed.directory);
    expect(report).toMatchObject({ table: 'weir_fw', members: 3, problems: [] });
    expect(body((await other.exec('nft', ['list', 'table', 'inet', 'weir_fw'])).stdout)).toBe(text);
  });

  it('changes by difference: rules that stay keep their handles', async () => {
    const port = await open();
    await port.configure(config(OWNED));
    const handles = async () => {
      const objects = await host.nftJson('table', 'inet', 'weir_fw');
      return new Map(
        objects.flatMap((o) => ('rule' in o ? [[String(o['rule']?.['handle']), String(o['rule']?.['comment'])]] : [])) as [
          string,
          string,
        ][],
      );
    };
    const before = await handles();
    await port.configure(config(OWNED.replace('[80, 443]', '[80, 443, 8443]')));
    const after = await handles();
    const kept = [...before].filter(([handle, name]) => after.get(handle) === name).map(([, name]) => name);
    expect(kept).toContain('default uplink');
    expect(kept).not.toContain('allow web_allowed tcp 80,443');
    expect([...after.values()]).toContain('allow web_allowed tcp 80,443,8443');
  });

  it('goes when the configuration has none any more', async () => {
    const port = await open();
    await port.configure(config(OWNED));
    await host.nft(TABLE('flags interval;'));
    await port.configure(config(USER));
    expect((await host.exec('nft', ['list', 'tables'])).stdout).not.toContain('weir_fw');
  });
});
