import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { attachCgroup, type CgroupAttachType, findCgroup2 } from '@weir/ebpf/kernel';
import type { Subject } from '@weir/filter/eval';
import { buildPacket, Packet } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { judge } from '../../apps/weir/src/compile/interpreter/index.ts';
import { testRule, writtenExpression } from '../../apps/weir/src/compile/test-rule.ts';
import { loadHook, PROGRAM_TYPES } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { Place } from '../../apps/weir/src/model/ebpf-program.ts';
import type { Action, HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { Random } from '../e2e/random.ts';
import { type Host, Lab, type LabProcess, waitFor } from '../lab/index.ts';

const SEED = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const POLICIES = 100;
const ASKS = 12;
const PLACES = ['connect4', 'connect6', 'sendmsg4', 'sendmsg6'] as const satisfies readonly Place[];

const path = join(findCgroup2() ?? '', `weir-connections-${process.pid}`);
/** Reads `PROTOCOL ADDRESS PORT`, one a line, connects or sends there, and prints what came of it. */
const code = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [protocol, address, port] = line.split(' ');
  const say = (error) => console.log(error ? error.code : 'ok');
  if (protocol === 'tcp') require('node:net').connect(Number(port), address).on('error', say).on('connect', () => say());
  else {
    const socket = require('node:dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.send('x', Number(port), address, (error) => { say(error); socket.close(); });
  }
});`;

const lab = new Lab();
let host: Host;
let inside: LabProcess;
let cgroup = 0;

beforeAll(async () => {
  host = await lab.host('caller');
  mkdirSync(path);
  cgroup = statSync(path).ino;
  inside = host.spawn('sh', ['-c', 'echo $$ > "$0/cgroup.procs"; exec "$1" -e "$2"', path, process.execPath, code]);
});
afterAll(async () => {
  await inside.close();
  rmdirSync(path);
  await lab.dispose();
});

const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.255.0.9', '::1', '::ffff:127.0.0.1', '::ffff:127.9.8.7'] as const;
const PORTS = [1, 9, 53, 1024, 40_000, 65_535] as const;

interface Ask {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

function test1(random: Random): string {
  const port = random.pick(PORTS);
  const field = random.pick(['tcp.dstport', 'udp.dstport', 'sctp.dstport']);
  return random.pick([
    () => `ip.dst == ${random.pick(['127.0.0.1', '127.0.0.2', '::1'])}`,
    () => `ip.dst in {${random.pick(['127.0.0.0/8', '127.0.0.0/31 ::/64', '::/0', '127.0.0.1..127.9.0.0', '::ffff:0:0/96'])}}`,
    () => `ip.dst != ${random.pick(['127.0.0.1', '::1'])}`,
    () => `${field} == ${port}`,
    () => `${field} != ${port}`,
    () => `${field} in {${port} ${random.pick(PORTS)} 2..${2 + random.below(60_000)}}`,
    () => `${field} ${random.pick(['<', '<=', '>', '>='])} ${port}`,
    () => `ip.proto == "${random.pick(['tcp', 'udp', 'icmp'])}"`,
    () => `ip.proto.num ${random.pick(['==', '!='])} ${random.pick([6, 17])}`,
    () => `process.uid ${random.pick(['==', '!=', '<='])} ${random.pick([0, 1, 65_534])}`,
    () => `cgroup.id ${random.pick(['==', '!=', '<', '>='])} ${cgroup + random.below(3) - 1}`,
    () => `meta.mark ${random.pick(['==', '!='])} ${random.below(2)}`,
  ])();
}

function expression(random: Random, depth: number): string {
  if (depth === 0 || random.below(3) === 0) return random.below(4) === 0 ? `not ${test1(random)}` : test1(random);
  const word = random.pick(['and', 'or', 'xor']);
  return `(${expression(random, depth - 1)} ${word} ${expression(random, depth - 1)})`;
}

function makePolicy(random: Random): HookRules {
  const rules = Array.from({ length: 1 + random.below(5) }, (_, i): Rule => {
    const text = expression(random, 2);
    const action = random.pick<Action>([{ kind: 'allow' }, { kind: 'deny' }, { kind: 'skip', to: undefined }]);
    return testRule(`r${i}`, writtenExpression(text, { hooks: ['connect'] }), action, { text });
  });
  const rest = testRule(
    'default',
    { kind: 'constant', value: true, span: undefined },
    { kind: random.pick(['allow', 'deny']) },
    { stage: 'default' },
  );
  return { hook: 'connect', priority: 0, rules: [...rules, rest] };
}

/** What is asked for, as the interpreter takes it: the packet that it would lead to. */
function subjectOf({ protocol, address, port }: Ask): Subject {
  const destination = parseIp(address.replace('::ffff:', ''));
  const source = parseIp(address.includes(':') && !address.startsWith('::ffff:') ? '::1' : '127.0.0.1');
  if (!destination || !source) throw new Error(address);
  const transport =
    protocol === 'tcp'
      ? ({ kind: 'tcp', sourcePort: 1, destinationPort: port } as const)
      : ({ kind: 'udp', sourcePort: 1, destinationPort: port } as const);
  return Packet.fromNetwork(buildPacket({ source, destination, transport }), { uid: 0, cgroup, mark: 0 });
}

async function ask({ protocol, address, port }: Ask): Promise<string> {
  const before = inside.stdout.length;
  inside.write(`${protocol} ${address} ${port}\n`);
  return await waitFor('an answer', async () => inside.stdout.slice(before).trim() || undefined, { intervalMs: 1 });
}

describe(`what processes ask for is judged as the interpreter does (seed ${SEED})`, () => {
  it.each([
    { name: 'one after the other', classified: false },
    { name: 'by tables', classified: true },
  ])(`${POLICIES} policies, $name`, async ({ classified }) => {
    const random = new Random(SEED);
    const verdicts = { allow: 0, deny: 0, reject: 0 };
    for (let i = 0; i < POLICIES; i++) {
      const hook = makePolicy(random);
      const open: { close(): void }[] = [];
      try {
        for (const place of PLACES) {
          const result = compileEbpf(hook, { place, ...(classified ? { classifier: { from: 1 } } : {}) });
          if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
          const loaded = loadHook(result.compiled, { name: 'agreement' });
          open.push(loaded, attachCgroup(loaded.program, path, PROGRAM_TYPES[place].attachType as CgroupAttachType));
        }
        for (let k = 0; k < ASKS; k++) {
          const one: Ask = { protocol: random.pick(['tcp', 'udp']), address: random.pick(ADDRESSES), port: random.pick(PORTS) };
          const wanted = judge(hook, subjectOf(one), { lists: { has: () => false } });
          verdicts[wanted.verdict]++;
          const answer = await ask(one);
          expect(
            { ...one, denied: answer === 'EPERM' },
            hook.rules.map(({ text, action }) => `${text} -> ${action.kind}`).join('\n'),
          ).toEqual({ ...one, denied: wanted.verdict === 'deny' });
        }
      } finally {
        for (const close of open) close.close();
      }
    }
    // Otherwise it would say nothing.
    expect(Math.min(verdicts.allow, verdicts.deny)).toBeGreaterThan((POLICIES * ASKS) / 10);
  });
});
