import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listInterfaces } from '@weir/ebpf/kernel';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { EbpfEngine } from '../../apps/weir/src/kernel/ebpf/index.ts';
import { type Host, Lab } from '../lab/index.ts';
import { allow, bpfMount, engine, features, mountBpf, pinDirectory, rule, tc, wanted } from './ebpf-runtime-bed.ts';

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
