import { DEFAULT_EBPF, type OnExit } from '../../model/ebpf.ts';
import { absolutePath, integer, name, word } from '../yaml/leaves.ts';
import { defaulted, type Field, list, optional, quote, required, type Shape, type Table, table } from '../yaml/shape.ts';
import type { RawConnect, RawEbpf, RawTc, RawXdp } from './raw.ts';

/** Bytes of a ring buffer: at least a page. */
const SMALLEST_BUFFER = 4096;
const LARGEST_BUFFER = 2 ** 30;

const interfaceName = (): Shape<string> => name('an interface', /^[^\s/:*\p{Cc}]{1,15}$/u, 'the whole name of an interface', 15);

const onExit = (): Field<OnExit> =>
  defaulted(
    word('what the end of the daemon can do', ['keep', 'detach']),
    'keep',
    'keep',
    'When the daemon ends by itself (SIGTERM): the programs go on judging (`keep`) or are taken off (`detach`). A crash always leaves them.',
  );

const xdp = table<RawXdp>('xdp', {
  interfaces: required(
    list(interfaceName(), { alone: true, atLeastOne: true }),
    'Interfaces whose incoming frames are judged by the rules of the hook `xdp`. One that is not there yet is attached to when it comes.',
  ),
  mode: defaulted(
    word('a mode', ['auto', 'native', 'generic']),
    'auto',
    'auto',
    "`native`: in the driver, or not at all. `generic`: in the kernel's own path, slower. `auto`: native, and where the driver has none generic, which `weir status` says.",
  ),
  on_exit: onExit(),
});

const tc = table<RawTc>('tc', {
  ingress: defaulted(
    list(interfaceName(), { alone: true }),
    [],
    '[]',
    'Interfaces whose frames are judged on their way in by the rules of the hook `tc`.',
  ),
  egress: defaulted(list(interfaceName(), { alone: true }), [], '[]', 'Interfaces whose frames are judged by them on their way out.'),
  on_exit: onExit(),
});

const connect = table<RawConnect>('connect', {
  cgroup: defaulted(
    absolutePath('a path', 255),
    '/sys/fs/cgroup',
    '/sys/fs/cgroup',
    'A directory of the unified cgroup hierarchy; what its processes connect and send to is judged by the rules of the hook `connect`. The root means all processes of the machine, whatever their network namespace.',
  ),
  on_exit: onExit(),
});

/** Where the rules of the eBPF hooks are attached. */
export const ebpfShape: Shape<Table<RawEbpf>> = table<RawEbpf>('ebpf', {
  xdp: optional(xdp, 'The hook `xdp`.', 'attached to nothing'),
  tc: optional(tc, 'The hook `tc`.', 'attached to nothing'),
  connect: optional(connect, 'The hook `connect`. `connect: {}` attaches it with its defaults.', 'attached to nothing'),
  pin_directory: defaulted(
    pinDirectory(),
    DEFAULT_EBPF.pinDirectory,
    DEFAULT_EBPF.pinDirectory,
    'Where programs, maps and links are pinned: a directory on a BPF file system, below its mount point, without a dot in its name. Two daemons need two.',
  ),
  event_buffer: defaulted(
    powerOfTwo(),
    DEFAULT_EBPF.eventBuffer,
    String(DEFAULT_EBPF.eventBuffer),
    'Bytes of the ring buffer of verdict events; a power of two.',
  ),
});

/** What can be told of it anywhere: whether it is on a BPF file system is known where the daemon runs. */
function pinDirectory(): Shape<string> {
  const shape = absolutePath('a path', 255);
  return {
    doc: shape.doc,
    read(node, label, report) {
      const path = shape.read(node, label, report);
      if (path === undefined) return undefined;
      const names = path.split('/').slice(1);
      if (names.some((name) => name === '' || name === '.' || name === '..'))
        report('E010', node.place, `${quote(path)} is no plain path`, 'it has no //, no . and .. among its names, and no / at its end');
      else if (names.at(-1)?.includes('.'))
        report('E010', node.place, `${quote(path)} cannot be made: a name on a BPF file system has no dot`, 'write _ for the dot');
      else return path;
      return undefined;
    },
  };
}

function powerOfTwo(): Shape<number> {
  const shape = integer('event_buffer', SMALLEST_BUFFER, LARGEST_BUFFER);
  return {
    doc: shape.doc,
    read(node, label, report) {
      const bytes = shape.read(node, label, report);
      if (bytes === undefined || (bytes & (bytes - 1)) === 0) return bytes;
      const near = 2 ** Math.round(Math.log2(bytes));
      report('E010', node.place, `event_buffer must be a power of two, not ${bytes}`, `write ${near}`);
      return undefined;
    },
  };
}
