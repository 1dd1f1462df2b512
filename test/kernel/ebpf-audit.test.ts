import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap, listInterfaces, PinDirectory } from '@weir/ebpf/kernel';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { KnownMembers } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { type Host, Lab } from '../lab/index.ts';
import { allow, delta, engine, mountBpf, pinDirectory, rule, wanted, xdp } from './ebpf-runtime-bed.ts';

mountBpf();

let lab: Lab;
let host: Host;
let directory: string;

beforeEach(async () => {
  lab = new Lab();
  host = await lab.host('audit');
  await host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  directory = pinDirectory(host.path);
});
afterEach(() => lab.dispose());

const RULES = [rule('listed', 'ip.src in $bad', { kind: 'deny' }, { log: true }), allow];
const bad = delta('bad', ['192.0.2.7/32', '198.51.100.0/24']);
const members: KnownMembers = (set, family) => (set === 'bad' && family === 4 ? bad : undefined);
/** Every map that is pinned, by its path below the layout. */
function pinned(at: PinDirectory, path = ''): string[] {
  const { pinned: names, directories } = at.list();
  return [...names.map((name) => `${path}${name}`), ...directories.flatMap((name) => pinned(at.at(name), `${path}${name}/`))].sort();
}

function start() {
  const one = engine(directory, host);
  one.openLists([wanted('xdp', RULES, xdp('here'))], members);
  one.configure([wanted('xdp', RULES, xdp('here'))]);
  // Digests are taken by and by.
  for (let i = 0; i < 5; i++) expect(one.audit(members)).toEqual({ pins: [], list: undefined, problems: [] });
  return one;
}

it('what is unpinned, or replaced, is pinned again: the next process finds everything', () => {
  let now = 0;
  const one = start();
  const root = PinDirectory.open(join(directory, 'v1'));
  const before = pinned(root);
  const generation = one.status().places[0]?.generation;
  one.close();
  const clock = engine(directory, host, [], () => now);
  clock.configure([wanted('xdp', RULES, xdp('here'))]);
  clock.audit(members);
  for (const path of ['attach/xdp-here/link', 'attach/xdp-here/stub', `hooks/xdp/g${generation}/info`]) rmSync(join(directory, 'v1', path));
  rmSync(join(directory, 'v1', 'hooks', 'xdp', `g${generation}`), { recursive: true });
  const theirs = BpfMap.create({ name: 'theirs', type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 });
  root.at('lists').pin(theirs, 'bad-4');
  theirs.close();
  // Not at every look.
  expect(clock.audit(members).pins).toEqual([]);
  now += 10_000;
  const { pins } = clock.audit(members);
  expect(pins.map((path) => path.slice(directory.length + 4)).sort()).toEqual(
    [
      'attach/xdp-here/link',
      'attach/xdp-here/stub',
      ...before.filter((path) => /^hooks\/xdp\/g\d+\/(?:program|counters|base)-/.test(path)),
      'lists/bad-4',
    ].sort(),
  );
  expect(clock.audit(members).pins).toEqual([]);
  clock.close();
  const xdpBefore = listInterfaces(host.path).find(({ name }) => name === 'here')?.xdp;
  const next = engine(directory, host);
  expect(next.configure([wanted('xdp', RULES, xdp('here'))]).problems).toEqual([]);
  expect(listInterfaces(host.path).find(({ name }) => name === 'here')?.xdp).toEqual(xdpBefore);
  expect(next.status().lists.find(({ family }) => family === 4)).toMatchObject({ set: 'bad', members: 2 });
});

it('no process can write into tables and counters', () => {
  const one = start();
  const generation = PinDirectory.open(join(directory, 'v1', 'hooks', 'xdp', `g${one.status().places[0]?.generation}`));
  for (const name of generation.list().pinned.filter((pin) => /^(?:counters-|info$)/.test(pin))) {
    const map = generation.map(name)!;
    expect(() => map.update(new Uint8Array(4), new Uint8Array(map.valueBytes)), name).toThrow('it may be frozen');
    map.close();
  }
});

it.each(['all of it', 'one octet'] as const)('what others write into a list is found and put right: %s', (what) => {
  let now = 0;
  const one = engine(directory, host, [], () => now);
  const hooks = [wanted('xdp', RULES, xdp('here'))];
  one.openLists(hooks, members);
  one.configure(hooks);
  for (let i = 0; i < 5; i++) one.audit(members);
  // What this process changes is no intrusion.
  one.apply([delta('bad', ['203.0.113.9/32'])]);
  now += 100_000;
  for (let i = 0; i < 5; i++) expect(one.audit(members).list).toBeUndefined();
  const map = PinDirectory.open(join(directory, 'v1', 'lists')).map('bad-4')!;
  const key = new Uint8Array(4);
  const value = map.lookup(key)!;
  if (what === 'all of it') value.fill(0);
  else value[3_000 * 4] = 0xff;
  map.update(key, value);
  map.close();
  now += 100_000;
  const found = Array.from({ length: 5 }, () => one.audit(members)).filter(({ list }) => list !== undefined);
  expect(found).toMatchObject([{ pins: [], list: { list: 'bad', family: 4 }, problems: [] }]);
  // In another map, which the programs look into.
  expect(one.status().lists.find(({ family }) => family === 4)).toMatchObject({ members: 2 });
  expect(one.members().find(({ set, family }) => set === 'bad' && family === 4)?.count).toBe(2);
  const list = PinDirectory.open(join(directory, 'v1', 'lists')).map('bad-4')!;
  const program = PinDirectory.open(join(directory, 'v1', 'hooks', 'xdp', `g${one.status().places[0]?.generation}`)).program(
    'program-xdp',
  )!;
  expect(program.info().mapIds).toContain(list.info().id);
  program.close();
  list.close();
  now += 100_000;
  expect(one.audit(members)).toEqual({ pins: [], list: undefined, problems: [] });
});
