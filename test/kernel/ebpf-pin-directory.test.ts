import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attachTcx, BpfMap, listInterfaces, PinDirectory, readTcx } from '@weir/ebpf/kernel';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { clearEbpf, EbpfEngine } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { type Host, Lab } from '../lab/index.ts';
import { load } from './ebpf-bed.ts';
import { allow, bpfMount, engine, features, mountBpf, pinDirectory, rule, tc, wanted, xdp } from './ebpf-runtime-bed.ts';

mountBpf();

let lab: Lab;
let host: Host;

beforeEach(async () => {
  lab = new Lab();
  host = await lab.host('pins');
  await host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
});
afterEach(() => lab.dispose());

const RULES = [rule('bad', 'ip.src == 192.0.2.7'), allow];

/** Opens a directory as a user without any capability. */
function openAsNobody(directory: string): string {
  const script = fileURLToPath(new URL('ebpf-pin-directory-child.ts', import.meta.url));
  const drop = ['--reuid', '65534', '--regid', '65534', '--clear-groups', '--inh-caps', '-all', '--bounding-set', '-all'];
  return execFileSync('setpriv', [...drop, process.execPath, '--conditions=source', '--import', 'tsx', script, directory], {
    encoding: 'utf8',
  }).trim();
}

it('that belongs to another user is named with its owner, not with a capability of the network', () => {
  const mount = bpfMount();
  const own = pinDirectory();
  chmodSync(mount, 0o755);
  onTestFinished(() => chmodSync(mount, 0o700));
  expect(openAsNobody(own)).toBe(
    `BpfError permission list ${own}: it is not permitted (${own} belongs to user 0 and has the mode 0700; this is user 65534): EACCES; missing CAP_DAC_OVERRIDE`,
  );
  chmodSync(mount, 0o700);
  expect(openAsNobody(own)).toBe(
    `BpfError permission look for ${own}: it is not permitted (${mount} belongs to user 0 and has the mode 0700; this is user 65534): EACCES; missing CAP_DAC_OVERRIDE`,
  );
});

it.each([
  {
    name: 'the mount point itself',
    path: () => bpfMount(),
    want: 'a BPF file system is mounted there, and others pin in it: name a directory in it, such as',
  },
  {
    name: 'not on a BPF file system',
    path: () => join(tmpdir(), 'weir-none'),
    want: 'no BPF file system is mounted there; mount one with: mount -t bpf bpf /sys/fs/bpf',
  },
  { name: 'a name with a dot', path: () => join(bpfMount(), 'we.ir'), want: 'a name on a BPF file system has no dot' },
])('$name is refused with what to do', ({ path, want }) => {
  expect(() => EbpfEngine.open({ directory: path(), netns: host.path, features: features(), now: () => 0 })).toThrow(want);
});

it('by a symbolic link is the directory that it leads to: nothing is moved, and one process has it', () => {
  const directory = pinDirectory(host.path);
  const links = mkdtempSync(join(tmpdir(), 'weir-link-'));
  onTestFinished(() => rmSync(links, { recursive: true }));
  const link = join(links, 'pins');
  symlinkSync(directory, link);
  const one = engine(directory, host);
  one.configure([wanted('tc', RULES, tc('here', 'ingress'))]);
  expect(() => engine(link, host)).toThrow(`process ${process.pid} manages`);
  one.close();
  const next = EbpfEngine.open({ directory: link, before: directory, netns: host.path, features: features(), now: () => 0 });
  onTestFinished(() => next.close());
  expect(next.configure([wanted('tc', RULES, tc('here', 'ingress'))]).problems).toEqual([]);
  expect(next.status().places).toMatchObject([{ way: 'tcx', generation: 1 }]);
  expect(listInterfaces(host.path).some(({ name }) => name === 'here')).toBe(true);
});

it('weir clear leaves what others pinned among its pins, and the links that they hold', () => {
  const directory = pinDirectory(host.path);
  const one = engine(directory, host);
  const hooks = [wanted('tc', RULES, tc('here', 'ingress')), wanted('xdp', RULES, xdp('here'))];
  one.configure(hooks);
  const program = load({ name: 'theirs', type: 'sched_cls' }, (asm) => asm.mov('r0', -1).exit());
  const index = listInterfaces(host.path).find(({ name }) => name === 'here')!.index;
  const link = attachTcx(program, { interface: index, direction: 'ingress', netns: host.path });
  const map = BpfMap.create({ name: 'theirs', type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 });
  const root = PinDirectory.open(join(directory, 'v1'));
  const there: readonly (readonly [string, { readonly fd: number }])[] = [
    ['', map],
    ['lists', map],
    ['kept', map],
    ['attach', link],
    ['attach/tc-ingress-here', link],
    ['attach/another', link],
    ['hooks/tc', program],
    ['hooks/xdp/g2', map],
    ['hooks/xdp/kept', map],
  ];
  for (const [path, object] of there)
    path
      .split('/')
      .filter((name) => name !== '')
      .reduce((at, name) => at.at(name), root)
      .pin(object, path === 'attach/another' ? 'link' : 'theirs');
  for (const one of [program, link, map]) one.close();
  const programs = () => readTcx({ interface: index, direction: 'ingress', netns: host.path }).programs.length;
  // Nor does an engine that goes on, or that has nothing to do.
  one.configure(hooks.slice(0, 1));
  expect(programs()).toBe(2);
  one.close();
  const { detached, unpinned, foreign } = clearEbpf(directory, host.path);
  expect([detached, programs(), listInterfaces(host.path).find(({ name }) => name === 'here')?.xdp]).toEqual([1, 1, undefined]);
  expect(unpinned).toBeGreaterThan(5);
  const gone = ['hooks/xdp/g2', 'hooks/xdp/kept'];
  const left = there
    .filter(([path]) => !gone.includes(path))
    .map(([path]) => join(directory, 'v1', path, path === 'attach/another' ? 'link' : 'theirs'));
  expect([...foreign].sort()).toEqual([...left].sort());
  expect(PinDirectory.open(join(directory, 'v1')).list()).toEqual({
    pinned: ['theirs'],
    directories: ['attach', 'hooks', 'kept', 'lists'],
  });
  PinDirectory.open(join(directory, 'v1')).remove();
  expect([clearEbpf(directory, host.path), existsSync(directory)]).toEqual([{ detached: 0, unpinned: 0, foreign: [] }, false]);
});
