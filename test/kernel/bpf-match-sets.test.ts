import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { listMaps, PinDirectory, readPinnedProgram } from '@weir/ebpf/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clearEbpf } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { NftBackend } from '../../apps/weir/src/kernel/nft/nft-backend.ts';
import { restoreImage } from '../../apps/weir/src/reconcile/index.ts';
import type { Reconciler } from '../../apps/weir/src/reconcile/reconciler.ts';
import { MatchBed } from './bpf-match-bed.ts';
import { bpfMount, delta, mountBpf } from './ebpf-runtime-bed.ts';
import { KernelPortBed } from './kernel-port-bed.ts';

let bed: MatchBed;

/** nf_tables cannot look a part of an address up: whoever is in the network of a member, or says so. */
const RULE = `expression: 'cidr(ip.src, 24, 64) in $web or udp.payload contains "please"'`;
/** The network that datagrams come from. */
const HOME = '198.51.100.0/24';

/** Everything with a handle, which elements have not. */
async function rules(): Promise<readonly string[]> {
  return (await bed.table()).split('\n').filter((line) => line.includes('# handle') && !line.startsWith('table'));
}

/** A daemon whose routes have come: the set has these members. */
function started(members: readonly string[], rule = RULE, pins = bed.pins): Reconciler {
  const reconciler = bed.start();
  expect(bed.configure(reconciler, rule, pins)).toEqual([]);
  reconciler.apply([delta('web', members, true)]);
  return reconciler;
}

describe('members of a set in programs that rules ask', () => {
  beforeEach(async () => {
    bed = await MatchBed.create();
  });
  afterEach(() => bed.dispose());

  it('come and go without a rule or a program being touched', async () => {
    const reconciler = started([]);
    const [before, programs] = [await rules(), bed.loaded()];
    expect(bed.lists()).toEqual(['web-4', 'web-6']);
    expect([await bed.gets('a'), await bed.gets('please')]).toEqual([false, true]);
    reconciler.apply([delta('web', [HOME, '203.0.113.0/24'])]);
    expect(await bed.gets('a')).toBe(true);
    reconciler.apply([delta('web', [`-${HOME}`])]);
    expect(await bed.gets('a')).toBe(false);
    expect([await rules(), bed.loaded()]).toEqual([before, programs]);
  });

  it('are there when the rule comes later, and their map goes with the rule', async () => {
    const reconciler = bed.start();
    bed.configure(reconciler, 'destination_ports: 5001');
    reconciler.apply([delta('web', [HOME], true)]);
    expect(bed.lists()).toEqual([]);
    expect(bed.configure(reconciler, RULE)).toEqual([]);
    expect(await bed.gets('a')).toBe(true);
    bed.configure(reconciler, 'destination_ports: 5001');
    expect([bed.lists(), bed.pinned()]).toEqual([[], []]);
  });

  it('a restart finds them, with rules and programs as they were', async () => {
    const first = started([HOME]);
    const [before, programs] = [await bed.table(), bed.loaded()];
    bed.end(first);
    expect(await bed.gets('a')).toBe(true);
    const second = bed.start();
    expect(bed.configure(second, RULE)).toEqual([]);
    expect([await bed.table(), bed.loaded()]).toEqual([before, programs]);
    second.apply([delta('web', [`-${HOME}`])]);
    expect(await bed.gets('a')).toBe(false);
  });

  it('a map that somebody unpinned is made anew, and the rules are bound to it', async () => {
    const first = started([HOME]);
    bed.end(first);
    bed.unpinLists();
    const second = bed.start();
    expect(bed.configure(second, RULE)).toEqual([]);
    expect(await bed.gets('a')).toBe(true);
    second.apply([delta('web', [`-${HOME}`])]);
    expect(await bed.gets('a')).toBe(false);
  });

  it('a map that is not whole is made anew', async () => {
    const first = started([HOME]);
    bed.end(first);
    bed.spoilLists();
    const second = bed.start();
    expect(bed.configure(second, RULE)).toEqual([]);
    expect(await bed.gets('a')).toBe(true);
    second.apply([delta('web', [`-${HOME}`])]);
    expect([await bed.gets('a'), await bed.gets('please')]).toEqual([false, true]);
  });

  it('a boot has them before the daemon is there, which takes them over', async () => {
    bed.end(started([HOME]));
    await bed.inside.nft('delete table inet weir');
    bed.unpinAll();
    expect(restoreImage(new NftBackend({ netns: bed.inside.path }), bed.directory)?.problems).toEqual([]);
    expect(await bed.gets('a')).toBe(true);
    const before = await rules();
    const reconciler = bed.start();
    expect(bed.configure(reconciler, RULE)).toEqual([]);
    expect(await rules()).toEqual(before);
    reconciler.apply([delta('web', [`-${HOME}`])]);
    expect(await bed.gets('a')).toBe(false);
  });

  it('a map that is full moves to a larger one, and rules go with it, without a packet between', async () => {
    const reconciler = started([HOME]);
    const before = await rules();
    const sending: Promise<void>[] = [];
    for (let round = 0; round < 40; round++) {
      // Many in each network of 16 bits, so that they take nodes.
      const many = Array.from({ length: 500 }, (_, i) => `${10 + (i >> 8)}.${i & 255}.${round * 5}.${round}/32`);
      sending.push(bed.send('a'), bed.send('b'));
      reconciler.apply([delta('web', many)]);
    }
    await Promise.all(sending);
    expect(await bed.heard()).toHaveLength(80);
    expect(reconciler.status().problems).toEqual([]);
    const octets = listMaps().flatMap(({ name, valueSize }) => (name === 'weir_set' ? [valueSize] : []));
    expect(Math.max(...octets)).toBeGreaterThan(0x8_0000);
    expect(await rules()).not.toEqual(before);
    expect(bed.loaded()).toHaveLength(1);
    reconciler.apply([delta('web', [`-${HOME}`])]);
    expect(await bed.gets('a')).toBe(false);
  });

  it('without a BPF file system the programs hold the map, and a restart binds them to another', async () => {
    const nowhere = `${bed.directory}/nowhere`;
    const first = started([HOME], RULE, nowhere);
    expect(await bed.gets('a')).toBe(true);
    first.apply([delta('web', [`-${HOME}`])]);
    expect(await bed.gets('a')).toBe(false);
    first.apply([delta('web', [HOME])]);
    bed.end(first);
    expect(await bed.gets('a')).toBe(true);
    const second = bed.start();
    expect(bed.configure(second, RULE, nowhere)).toEqual([]);
    expect(await bed.gets('a')).toBe(true);
    second.apply([delta('web', [`-${HOME}`])]);
    expect(await bed.gets('a')).toBe(false);
  });
});

describe('beside programs at hooks', () => {
  mountBpf();
  let ports: KernelPortBed;
  beforeEach(async () => {
    ports = await KernelPortBed.create();
    await ports.host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  });
  afterEach(async () => {
    await ports.closePorts();
    clearEbpf(join(bpfMount(), 'weir'), ports.host.path);
    await ports.close();
  });

  const text = (rules: string): string => `
bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.2, as: 64512 }] }
sets:
  bad: { kind: deny, communities: ["64512:666"], guard: { peers: [core], prefixes: [192.0.2.0/24] }, on_session_loss: hold forever }
policy: policy.yaml
ebpf: { pin_directory: ${join(bpfMount(), 'weir')}, xdp: { interfaces: [here], on_exit: detach } }
---
default_action: allow
rules:
${rules}`;
  const INPUT = `  - { name: near, expression: 'cidr(ip.src, 24, 64) in $bad or udp.payload contains "please"', action: deny }`;
  const XDP = '  - { name: listed, hook: xdp, expression: "ip.src in $bad", action: deny }';

  /** The lists that the pinned program of the rule looks into, by their pins' ids, and what else is pinned of lists. */
  function bound(): { readonly maps: readonly number[]; readonly shared: readonly number[]; readonly own: readonly number[] } {
    const root = join(bpfMount(), 'weir');
    const [table = ''] = readdirSync(join(root, 'matches'));
    const directory = PinDirectory.open(join(root, 'matches', table));
    const [name = ''] = directory.list().pinned;
    const idsIn = (path: string): readonly number[] =>
      existsSync(path) ? ['bad-4', 'bad-6'].flatMap((list) => mapId(PinDirectory.open(path), list) ?? []) : [];
    return {
      maps: readPinnedProgram(join(directory.path, name))?.mapIds ?? [],
      shared: idsIn(join(root, 'v1', 'lists')),
      own: idsIn(join(directory.path, 'lists')),
    };
  }

  function mapId(directory: PinDirectory, name: string): number | undefined {
    const map = directory.map(name);
    const id = map?.info().id;
    map?.close();
    return id;
  }

  it('a set is there once for all of them, and the rules have lists of their own when these are gone', async () => {
    const port = await ports.open();
    await port.configure(ports.config(text(`${INPUT}\n${XDP}`)));
    await port.apply([delta('bad', ['192.0.2.0/24'], true)]);
    expect((await port.status()).problems).toEqual([]);
    const together = bound();
    expect(together.shared).toHaveLength(2);
    expect([together.own, together.maps]).toEqual([[], expect.arrayContaining([...together.shared])]);
    await port.configure(ports.config(text(INPUT)));
    const alone = bound();
    expect((await port.status()).problems).toEqual([]);
    expect(alone.shared).toEqual([]);
    expect([alone.own.length, alone.maps]).toEqual([2, expect.arrayContaining([...alone.own])]);
    await port.configure(ports.config(text(`${INPUT}\n${XDP}`)));
    await port.close({ clear: false });
    const before = bound();
    const again = await ports.open();
    await again.configure(ports.config(text(`${INPUT}\n${XDP}`)));
    expect(bound()).toEqual(before);
    expect((await again.status()).problems).toEqual([]);
  });
});
