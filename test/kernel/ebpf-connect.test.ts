import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { attachCgroup, findCgroup2, sumCpus } from '@weir/ebpf/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COUNTERS, compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { writtenRule } from '../../apps/weir/src/compile/test-rule.ts';
import { type LoadedHook, loadHook, PROGRAM_TYPES } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { Place } from '../../apps/weir/src/model/ebpf-program.ts';
import type { Action, Rule } from '../../apps/weir/src/model/rule.ts';
import { type Host, Lab, type LabProcess, waitFor } from '../lab/index.ts';
import { keep, u32 } from './ebpf-bed.ts';

const PLACES = ['connect4', 'connect6', 'sendmsg4', 'sendmsg6'] as const satisfies readonly Place[];
const DENY: Action = { kind: 'deny' };

const rule = (ref: string, text: string, action: Action = DENY): Rule => writtenRule(ref, text, action);

const path = join(findCgroup2() ?? '', `weir-connect-${process.pid}`);
/** In the cgroup and the namespace: reads `PROTOCOL ADDRESS PORT` from its input, connects or sends there, and prints what came of it. */
const code = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [protocol, address, port] = line.split(' ');
  const say = (error) => console.log(error ? error.code : 'ok');
  if (protocol === 'tcp') require('node:net').connect(Number(port), address).on('error', say).on('connect', () => say());
  else require('node:dgram').createSocket(protocol).send('x', Number(port), address, say);
});`;
const lab = new Lab();
let host: Host;
let inside: LabProcess;
/** Another process in the cgroup. */
let other: LabProcess;

beforeAll(async () => {
  host = await lab.host('caller');
  mkdirSync(path);
  const spawn = (): LabProcess => host.spawn('sh', ['-c', 'echo $$ > "$0/cgroup.procs"; exec "$1" -e "$2"', path, process.execPath, code]);
  inside = spawn();
  other = spawn();
});

afterAll(async () => {
  await inside.close();
  await other.close();
  rmdirSync(path);
  await lab.dispose();
});

async function ask(line: string, who = inside): Promise<string> {
  const before = who.stdout.length;
  who.write(`${line}\n`);
  return await waitFor(`an answer to ${line}`, async () => who.stdout.slice(before).trim() || undefined, { intervalMs: 2 });
}

/** Programs of the rules at every place of the cgroup, until the test is over. */
function attach(...rules: readonly Rule[]): Map<Place, LoadedHook> {
  const loaded = new Map<Place, LoadedHook>();
  for (const place of PLACES) {
    const result = compileEbpf({ hook: 'connect', priority: 0, rules }, { place });
    if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
    const one = keep(loadHook(result.compiled, { name: 'weir_connect' }));
    const { attachType } = PROGRAM_TYPES[place];
    if (attachType === undefined || !attachType.startsWith('cgroup_')) throw new Error(place);
    keep(attachCgroup(one.program, path, attachType as Parameters<typeof attachCgroup>[2]));
    loaded.set(place, one);
  }
  return loaded;
}

const TCP = 'ECONNREFUSED';

describe('what processes ask for', () => {
  it.each([
    {
      name: 'an address',
      text: 'ip.dst == 127.0.0.1',
      denied: ['tcp 127.0.0.1 9', 'udp4 127.0.0.1 9'],
      free: ['tcp ::1 9', 'tcp 127.0.0.2 9'],
    },
    {
      name: 'the same address on a socket of IPv6',
      text: 'ip.dst == 127.0.0.1',
      denied: ['tcp ::ffff:127.0.0.1 9', 'udp6 ::ffff:127.0.0.1 9'],
      free: ['tcp ::1 9'],
    },
    { name: 'an address of IPv6', text: 'ip.dst == ::1', denied: ['tcp ::1 9', 'udp6 ::1 9'], free: ['tcp 127.0.0.1 9'] },
    { name: 'all of IPv6', text: 'ip.dst in {::/0}', denied: ['tcp ::1 9'], free: ['tcp ::ffff:127.0.0.1 9', 'tcp 127.0.0.1 9'] },
    {
      name: 'a port',
      text: 'tcp.dstport in {9 80..90}',
      denied: ['tcp 127.0.0.1 9', 'tcp ::1 85'],
      free: ['tcp 127.0.0.1 10', 'udp4 127.0.0.1 9'],
    },
    {
      name: 'a protocol',
      text: 'ip.proto == "udp" and udp.dstport == 9',
      denied: ['udp4 127.0.0.1 9', 'udp6 ::1 9'],
      free: ['tcp 127.0.0.1 9', 'udp4 127.0.0.1 10'],
    },
    { name: 'who it is', text: 'process.uid == 0', denied: ['tcp 127.0.0.1 9'], free: [] },
    { name: 'who it is not', text: 'process.uid == 1000', denied: [], free: ['tcp 127.0.0.1 9'] },
    {
      name: 'a source, which is not there yet',
      text: 'ip.src == 127.0.0.1 or tcp.srcport == 0',
      denied: [],
      free: ['tcp 127.0.0.1 9', 'udp4 127.0.0.1 9'],
    },
    { name: 'what is no source, which is not there yet', text: 'not ip.src == 127.0.0.1', denied: ['tcp 127.0.0.1 9'], free: [] },
    { name: 'no mark', text: 'meta.mark == 0', denied: ['tcp 127.0.0.1 9', 'tcp ::1 9', 'udp4 127.0.0.1 9'], free: [] },
  ])('$name: $text', async ({ text, denied, free }) => {
    attach(rule('r', text), rule('rest', 'ip.dst in {0.0.0.0/0 ::/0}', { kind: 'allow' }));
    for (const line of denied) expect([line, await ask(line)]).toEqual([line, 'EPERM']);
    for (const line of free) expect([line, await ask(line)]).toEqual([line, line.startsWith('tcp') ? TCP : 'ok']);
  });

  it('of one cgroup, by its number', async () => {
    const { ino } = statSync(path);
    attach(rule('mine', `cgroup.id == ${ino}`));
    expect(await ask('tcp 127.0.0.1 9')).toBe('EPERM');
    expect(await ask('tcp ::1 9')).toBe('EPERM');
  });

  it('of every cgroup but one', async () => {
    const { ino } = statSync(path);
    attach(rule('others', `cgroup.id != ${ino}`));
    expect(await ask('tcp 127.0.0.1 9')).toBe(TCP);
  });

  it('counts what it judged, without octets', async () => {
    const loaded = attach(rule('r', 'tcp.dstport == 9'));
    for (let i = 0; i < 3; i++) await ask('tcp 127.0.0.1 9');
    await ask('tcp 127.0.0.1 10');
    const map = loaded.get('connect4')?.maps.get(COUNTERS);
    expect([...sumCpus(map?.lookup(u32(0)) ?? new Uint8Array(0), 16)]).toEqual([3n, 0n]);
  });

  it.each([
    { per: 'process', others: TCP },
    { per: 'cgroup', others: 'EPERM' },
  ] as const)('limits new connections per $per', async ({ per, others }) => {
    // One in a thousand seconds: none comes back while this runs.
    const limit = { unit: 'packets', rate: 0.001, burst: 3, per } as const;
    attach(rule('r', 'tcp.dstport == 9', { kind: 'rate-limit', limit }));
    const answers: string[] = [];
    for (let i = 0; i < 5; i++) answers.push(await ask('tcp 127.0.0.1 9'));
    expect(answers).toEqual([TCP, TCP, TCP, 'EPERM', 'EPERM']);
    expect(await ask('tcp 127.0.0.1 9', other)).toBe(others);
    expect(await ask('tcp 127.0.0.1 10')).toBe(TCP);
  });

  it('refuses what is not known before there is a packet', () => {
    const result = compileEbpf({ hook: 'connect', priority: 0, rules: [rule('r', 'ip.ttl == 1')] }, { place: 'connect4' });
    expect(result).toMatchObject({ refusals: [{ rule: 'r', construct: 'ip.ttl' }] });
  });
});
