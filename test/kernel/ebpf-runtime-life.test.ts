import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Assembler } from '@weir/ebpf/asm';
import { attachTcx, attachXdp, BpfMap, findCgroup2, listInterfaces, PinDirectory, readTcx, sumCpus } from '@weir/ebpf/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COUNTERS } from '../../apps/weir/src/compile/ebpf/index.ts';
import { clearEbpf, type EbpfEngine, type WantedHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { CompiledHook } from '../../apps/weir/src/model/ebpf-program.ts';
import type { Rule } from '../../apps/weir/src/model/rule.ts';
import { tellProblem } from '../../apps/weir/src/reconcile/ebpf-problems.ts';
import { type Host, Lab, type LabProcess, waitFor } from '../lab/index.ts';
import { keep, load, returning, u32 } from './ebpf-bed.ts';
import { udp4 } from './ebpf-limits-bed.ts';
import { allow, compiled, engine, mountBpf, pinDirectory, rule, tc, wanted, xdp } from './ebpf-runtime-bed.ts';

mountBpf();

let lab: Lab;
let host: Host;
const MAC = '02:00:00:00:00:01';
const script = (name: string): string => fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
const NODE = ['--conditions=source', '--import', 'tsx'];

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('life');
  await host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  await host.ip('link', 'set', 'here', 'address', MAC);
  for (const name of ['here', 'there']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
    await host.ip('link', 'set', name, 'up');
  }
});
afterAll(() => lab.dispose());

const index = (name: string): number => listInterfaces(host.path).find((one) => one.name === name)!.index;
const xdpOf = (name: string) => listInterfaces(host.path).find((one) => one.name === name)?.xdp;

const BAD = 0xc0000207;
const GOOD = 0xc0000208;
const denyBad = rule('bad', 'ip.src == 192.0.2.7');

/** To `here`, from a source. */
function frame(source: number): Uint8Array {
  const out = udp4(source);
  out.set(MAC.split(':').map((octet) => Number.parseInt(octet, 16)));
  return out;
}

function counts(of: EbpfEngine, hook = 'xdp'): Record<string, number> {
  const found = of.status().rules.find((one) => one.hook === hook);
  const columns = found?.counts(COUNTERS);
  return Object.fromEntries((found?.refs ?? []).map((ref, i) => [ref, Number(columns?.counts[2 * i] ?? 0n)]));
}

const total = (of: EbpfEngine): number => Object.values(counts(of)).reduce((sum, one) => sum + one, 0);

/** Sends so many rounds of so many frames of each source, in a process of its own; resolves to how many of each. */
function sendFrames(rounds: number, frames: number, pause: number, ...sources: readonly number[]): Promise<number> {
  const hex = sources.map((one) => Buffer.from(frame(one)).toString('hex'));
  const args = [
    ...NODE,
    script('ebpf-live-load'),
    host.path,
    String(index('there')),
    String(rounds),
    String(frames),
    String(pause),
    ...hex,
  ];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`));
      else resolve(Number(stdout.split(' ')[0]));
    });
  });
}

/** Counts, behind XDP, what comes from BAD (first) and from others (second). */
function countPassed(): () => readonly [number, number] {
  const map = keep(BpfMap.create({ name: 'passed', type: 'percpu_array', valueSize: 8, maxEntries: 2 }));
  const program = load(
    { name: 'weir_passed', type: 'sched_cls' },
    (asm) => {
      const [other, none] = [asm.label(), asm.label()];
      asm.store('u64', 'r10', -8, 0).mov('r6', 'r1').mov('r2', 26).mov('r3', 'r10').alu('r3', '+=', -8).mov('r4', 4).call('skb_load_bytes');
      asm
        .load('r1', 'u32', 'r10', -8)
        .byteOrder('r1', 'be', 32)
        .mov('r7', 1)
        .set('r2', BAD)
        .jump('r1', '!=', 'r2', other)
        .mov('r7', 0)
        .place(other);
      asm.store('u32', 'r10', -8, 'r7').map('r1', 'passed').mov('r2', 'r10').alu('r2', '+=', -8).call('map_lookup_elem');
      asm
        .jump('r0', '==', 0, none)
        .load('r1', 'u64', 'r0', 0)
        .alu('r1', '+=', 1)
        .store('u64', 'r0', 0, 'r1')
        .place(none)
        .mov('r0', 2)
        .exit();
    },
    [map],
  );
  keep(program);
  keep(attachTcx(program, { interface: index('here'), direction: 'ingress', netns: host.path }));
  const at = (key: number): number => Number(sumCpus(map.lookup(u32(key))!, 8)[0]);
  return () => [at(0), at(1)];
}

/** Resolves when nothing has been counted for a while. */
async function quiet(of: EbpfEngine): Promise<void> {
  for (let last = -1, now = total(of); last !== now; now = total(of)) {
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('under load', () => {
  it('swaps of rules lose and misjudge no packet', async () => {
    const one = engine(pinDirectory(host.path), host);
    const place = xdp('here', 'native');
    const generations: readonly WantedHook[][] = [
      [wanted('xdp', [denyBad, allow], place)],
      [wanted('xdp', [rule('other', 'ip.src == 203.0.113.9'), denyBad, rule('tail', 'ip.ttl == 3'), allow], place)],
    ];
    one.configure(generations[0]!);
    const passed = countPassed();
    let running = true;
    const sent = sendFrames(40, 10_000, 5, BAD, GOOD).finally(() => {
      running = false;
    });
    let swaps = 0;
    let busy = 0;
    for (let before = 0; running; swaps++) {
      one.configure(generations[(swaps + 1) % 2]!);
      const now = total(one);
      if (now > before && before > 0) busy++;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const frames = await sent;
    await quiet(one);
    const { bad, default: good } = counts(one) as { bad: number; default: number };
    const [misjudged, letThrough] = passed();
    expect(misjudged).toBe(0);
    expect(letThrough).toBe(good);
    // The queue between the two interfaces is short: what does not fit never comes to the program.
    expect(bad).toBeGreaterThan(frames / 10);
    expect(good).toBeGreaterThan(frames / 10);
    expect(total(one)).toBe(bad + good);
    expect(busy).toBeGreaterThan(5);
  });

  it('native and generic XDP are exchanged without a packet between them', async () => {
    const one = engine(pinDirectory(host.path), host);
    const withBridge = (mode: 'native' | 'generic', bridge = () => compiled('tc', [denyBad, allow])): WantedHook[] => {
      const hook = wanted('xdp', [denyBad, allow], xdp('here', mode));
      return [{ ...hook, attachments: hook.attachments.map((place) => ({ ...place, bridge })) }];
    };
    one.configure(withBridge('native'));
    const passed = countPassed();
    let running = true;
    const sent = sendFrames(100, 1000, 1, BAD, GOOD).finally(() => {
      running = false;
    });
    let changes = 0;
    while (running) {
      const mode = changes % 2 === 0 ? 'generic' : 'native';
      expect(one.configure(withBridge(mode))).toEqual({ problems: [], repaired: [], gaps: [] });
      expect(xdpOf('here')?.mode).toBe(mode);
      changes++;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const each = await sent;
    await quiet(one);
    expect(changes).toBeGreaterThan(3);
    expect(passed()[0]).toBe(0);
    // What is denied is counted once, but for what the queue before generic XDP has no room for.
    const { bad = 0 } = counts(one);
    expect(bad).toBeGreaterThan(0);
    expect(bad).toBeLessThanOrEqual(each);
    // Where the rules cannot be judged at tc it is told for how long there was nothing.
    const { gaps } = one.configure(withBridge(changes % 2 === 0 ? 'generic' : 'native', () => undefined as never));
    expect(gaps).toMatchObject([{ ms: expect.any(Number), why: 'its rules cannot be judged at tc' }]);
  }, 90_000);

  it('a process that is killed while it changes rules leaves packets judged, and the next one goes on', async () => {
    const directory = pinDirectory(host.path);
    const passed = countPassed();
    const start = async (): Promise<LabProcess> => {
      const child = host.spawn(process.execPath, [...NODE, script('ebpf-runtime-child'), directory, host.path, 'churn'], {
        name: 'engine',
      });
      await waitFor('the engine', async () => child.stdout.includes('ready') || undefined, { intervalMs: 10 });
      return child;
    };
    let child = await start();
    let running = true;
    const sent = sendFrames(150, 500, 20, BAD, GOOD).finally(() => {
      running = false;
    });
    let kills = 0;
    while (running && kills < 3) {
      await new Promise((resolve) => setTimeout(resolve, 40 + 37 * kills));
      child.killGroup('SIGKILL');
      await child.exited;
      kills++;
      child = await start();
    }
    await sent;
    child.killGroup('SIGKILL');
    await child.exited;
    expect(kills).toBeGreaterThan(1);
    expect(passed()[0]).toBe(0);
    const one = engine(directory, host);
    one.configure([wanted('xdp', [rule('listed', 'ip.src in $bad'), allow], xdp('here'))]);
    await quiet(one);
    expect(one.members().find(({ family }) => family === 4)?.count).toBe(1);
    // What the generations of those that were killed have counted is added bit by bit.
    await expect.poll(() => counts(one)['default'], { timeout: 60_000 }).toBe(passed()[1]);
    expect(counts(one)['listed']).toBeGreaterThan(0);
  });
});

describe('what is there', () => {
  it('of another version of the layout is taken over by the same link', async () => {
    const directory = pinDirectory(host.path);
    const hooks = (): WantedHook[] => [wanted('xdp', [denyBad, allow], xdp('here')), wanted('tc', [denyBad, allow], tc('here', 'egress'))];
    const old = engine(directory, host);
    old.configure(hooks());
    old.close();
    const tcx = () => readTcx({ interface: index('here'), direction: 'egress', netns: host.path }).programs;
    const [link] = tcx();
    const before = xdpOf('here');
    renameSync(join(directory, 'v1'), join(directory, 'v999'));
    const one = engine(directory, host);
    expect(one.configure(hooks())).toEqual({ problems: [], repaired: [], gaps: [] });
    expect(tcx()).toEqual([{ linkId: link?.linkId, programId: expect.any(Number) as number }]);
    expect(tcx()[0]?.programId).not.toBe(link?.programId);
    expect(xdpOf('here')?.programId).not.toBe(before?.programId);
    expect(PinDirectory.open(directory).list().directories).toEqual(['v1']);
    await sendFrames(1, 64, 0, BAD);
    await quiet(one);
    expect(counts(one)).toEqual({ bad: 64, default: 0 });
  });

  it('of the interfaces that come, go and are called otherwise', async () => {
    const one = engine(pinDirectory(host.path), host);
    const hooks = [wanted('xdp', [denyBad, allow], xdp('late')), wanted('tc', [denyBad, allow], tc('late', 'ingress'))];
    const missing = one.configure(hooks).problems;
    expect(missing.map(({ key, error }) => [key, error.message])).toEqual([
      ['place xdp-late', 'there is no interface late'],
      ['place tc-ingress-late', 'there is no interface late'],
    ]);
    expect(tellProblem(missing[0]!, hooks[0])).toMatchObject({ kind: 'place-missing', subject: 'xdp of late' });
    for (const name of ['late', 'early']) {
      await host.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}-peer`);
      expect(one.poll()).toBe(true);
      const { problems } = one.settle();
      expect(problems.length).toBe(name === 'late' ? 0 : 2);
      expect(xdpOf('late')?.mode).toBe(name === 'late' ? 'native' : undefined);
      if (name === 'early') {
        // It has the name now; and the other that had it has no program.
        await host.ip('link', 'set', 'early', 'name', 'late');
        expect(one.poll()).toBe(true);
        expect(one.settle()).toEqual({ problems: [], repaired: [], gaps: [] });
        expect([xdpOf('late')?.mode, xdpOf('former')?.mode]).toEqual(['native', undefined]);
        await host.ip('link', 'del', 'former');
      } else {
        await host.ip('link', 'set', 'late', 'name', 'former');
      }
    }
    await host.ip('link', 'del', 'late');
    expect(one.poll()).toBe(true);
    expect(one.settle().problems).toHaveLength(2);
    expect(one.status().places.map(({ way }) => way)).toEqual([undefined, undefined]);
  });

  it('is attached again when another process takes it off, which is told', async () => {
    const one = engine(pinDirectory(host.path), host);
    one.configure([wanted('tc', [denyBad, allow], tc('here', 'ingress'))]);
    const [at] = readTcx({ interface: index('here'), direction: 'ingress', netns: host.path }).programs;
    expect(one.poll()).toBe(false);
    await host.exec('bpftool', ['link', 'detach', 'id', String(at?.linkId)]);
    expect(one.poll()).toBe(true);
    expect(one.settle()).toEqual({ problems: [], repaired: [tc('here', 'ingress')], gaps: [] });
    expect(one.status().places[0]?.way).toBe('tcx');
  });

  it('another program at XDP is left alone, and is a problem', () => {
    const foreign = keep(load({ name: 'foreign', type: 'xdp' }, returning(2)));
    const attached = keep(attachXdp(foreign, { interface: index('here'), netns: host.path }).link);
    const directory = pinDirectory(host.path);
    const one = engine(directory, host);
    const hooks = [wanted('xdp', [denyBad, allow], xdp('here'))];
    const [problem] = one.configure(hooks).problems;
    expect(tellProblem(problem!, hooks[0])).toMatchObject({
      kind: 'attach-failed',
      message: expect.stringContaining('another XDP program is attached') as string,
    });
    expect(xdpOf('here')?.programId).toBe(foreign.info().id);
    one.close();
    clearEbpf(directory, host.path);
    expect(xdpOf('here')?.programId).toBe(foreign.info().id);
    attached.close();
  });
});

describe('cgroups', () => {
  const PLACES = ['connect4', 'connect6', 'sendmsg4', 'sendmsg6'] as const;
  const path = join(findCgroup2() ?? '', `weir-runtime-${process.pid}`);

  /** In the cgroup: what connecting to a port of the host comes to. */
  async function connect(port: number): Promise<string> {
    const code = `require('net').connect(${port}, '127.0.0.1').on('error', (error) => console.log(error.code))`;
    const { stdout } = await host.exec('sh', ['-c', 'echo $$ > "$0/cgroup.procs"; exec "$1" -e "$2"', path, process.execPath, code]);
    return stdout.trim();
  }

  it('are judged at connect(2), and by the next process as well', async () => {
    mkdirSync(path);
    try {
      await host.ip('link', 'set', 'lo', 'up');
      const directory = pinDirectory(host.path);
      const rules = [rule('nine', 'tcp.dstport == 9'), allow];
      const hooks: WantedHook[] = [
        {
          hook: 'connect',
          programs: new Map(PLACES.map((place) => [place, compiled(place, rules, 'connect')])),
          attachments: PLACES.map((at) => ({ place: { kind: 'cgroup', path, at }, variant: at })),
        },
      ];
      const one = engine(directory, host);
      expect(one.configure(hooks)).toEqual({ problems: [], repaired: [], gaps: [] });
      expect(one.status().places.map(({ way }) => way)).toEqual(PLACES.map(() => 'cgroup'));
      expect([await connect(9), await connect(10)]).toEqual(['EPERM', 'ECONNREFUSED']);
      one.close();
      expect(await connect(9)).toBe('EPERM');
      const two = engine(directory, host);
      expect(two.configure(hooks)).toEqual({ problems: [], repaired: [], gaps: [] });
      expect(counts(two, 'connect')).toEqual({ nine: 2, default: 1 });
      two.close(new Set(['connect']));
      expect(await connect(9)).toBe('ECONNREFUSED');
    } finally {
      rmdirSync(path);
    }
  });

  it('that are not there are waited for', () => {
    const one = engine(pinDirectory(host.path), host);
    const place = { kind: 'cgroup', path: `${path}-none`, at: 'connect4' } as const;
    const programs = new Map([['connect4', compiled('connect4', [allow], 'connect')]]);
    const hooks: WantedHook[] = [{ hook: 'connect', programs, attachments: [{ place, variant: 'connect4' }] }];
    const [problem] = one.configure(hooks).problems;
    expect(tellProblem(problem!, hooks[0])).toMatchObject({ kind: 'place-missing', subject: `connect4 of ${path}-none` });
  });

  it('are attached to as soon as they are there, and again when another takes their place', () => {
    const one = engine(pinDirectory(host.path), host);
    const mine = `${path}-comes`;
    const place = { kind: 'cgroup', path: mine, at: 'connect4' } as const;
    const programs = new Map([['connect4', compiled('connect4', [allow], 'connect')]]);
    const held = () => one.status().places.map(({ way }) => way);
    one.configure([{ hook: 'connect', programs, attachments: [{ place, variant: 'connect4' }] }]);
    expect([one.poll(), held()]).toEqual([false, [undefined]]);
    for (let round = 0; round < 2; round++) {
      mkdirSync(mine);
      try {
        expect(one.poll()).toBe(true);
        expect(one.settle().problems).toEqual([]);
        expect([one.poll(), held()]).toEqual([false, ['cgroup']]);
      } finally {
        rmdirSync(mine);
      }
    }
    expect(one.poll()).toBe(true);
    expect(one.settle().problems).toMatchObject([{ place }]);
    expect([one.poll(), held()]).toEqual([false, [undefined]]);
  });
});

describe('refusals', () => {
  const line = rule(
    'reads-too-far',
    'ip.ttl == 1',
    { kind: 'deny' },
    {
      provenance: { kind: 'file', span: { file: 'policy.yaml', line: 7, column: 3, length: 1 } },
    },
  );

  /** What the verifier takes for no rule at all: it reads past the packet. */
  function unsafe(): CompiledHook {
    const asm = new Assembler<Rule>('main');
    asm.load('r2', 'u32', 'r1', 0).within(line, () => asm.load('r0', 'u32', 'r2', 0));
    asm.mov('r0', 2).exit();
    return { place: 'xdp', program: asm.assemble(), maps: compiled('xdp', [line]).maps.slice(0, 1), rules: [line] };
  }

  it('of the verifier name the rule and its line; the programs before stay', async () => {
    const one = engine(pinDirectory(host.path), host);
    const place = xdp('here');
    one.configure([wanted('xdp', [denyBad, allow], place)]);
    const hooks: WantedHook[] = [{ hook: 'xdp', programs: new Map([['xdp', unsafe()]]), attachments: [{ place, variant: 'xdp' }] }];
    const { problems } = one.configure(hooks);
    // The same programs are not loaded again, the same error is told; others are.
    expect(one.settle().problems[0]?.error).toBe(problems[0]?.error);
    const again = one.configure([{ hook: 'xdp', programs: new Map([['xdp', unsafe()]]), attachments: [{ place, variant: 'xdp' }] }]);
    expect(again.problems).toHaveLength(1);
    expect(again.problems[0]?.error).not.toBe(problems[0]?.error);
    expect(problems.map((problem) => tellProblem(problem, hooks[0]))).toEqual([
      {
        kind: 'refused',
        subject: 'rule reads-too-far',
        message: expect.stringMatching(
          /^policy\.yaml:7:3 reads-too-far: the kernel's verifier refuses it: .*; the rules before stay in force$/,
        ) as string,
        remedy: undefined,
      },
    ]);
    await sendFrames(1, 64, 0, BAD);
    await quiet(one);
    expect(counts(one)).toEqual({ bad: 64, default: 0 });
    expect(one.status().places[0]).toMatchObject({ way: 'native', generation: 1 });
    expect(one.configure([wanted('xdp', [denyBad, allow], place)]).problems).toEqual([]);
  });

  it('are refused where packets have no Ethernet header', async () => {
    await host.ip('tuntap', 'add', 'dev', 'tun0', 'mode', 'tun');
    const one = engine(pinDirectory(host.path), host);
    const { problems } = one.configure([
      wanted('xdp', [denyBad, allow], xdp('tun0'), xdp('here')),
      wanted('tc', [denyBad, allow], tc('tun0', 'ingress'), tc('lo', 'ingress')),
    ]);
    expect(problems.map(({ key, error }) => `${key}: ${error.message}`)).toEqual(
      ['xdp-tun0', 'tc-ingress-tun0'].map(
        (name) =>
          `place ${name}: packets of tun0 have no Ethernet header, which programs at xdp and tc read: judge them at input, forward or output`,
      ),
    );
    expect(one.status().places.map(({ way }) => way)).toEqual([undefined, 'native', undefined, 'tcx']);
  });

  it('are not asked for before it is known what is wanted: what an earlier process put there stays', async () => {
    const directory = pinDirectory(host.path);
    const place = xdp('here');
    const one = engine(directory, host);
    one.configure([wanted('xdp', [denyBad, allow], place)]);
    one.close();
    const before = listInterfaces(host.path).find(({ name }) => name === 'here')?.xdp;
    expect(before).toBeDefined();
    const next = engine(directory, host);
    expect(next.settle()).toEqual({ problems: [], repaired: [], gaps: [] });
    next.close(new Set(['tc']));
    expect(listInterfaces(host.path).find(({ name }) => name === 'here')?.xdp).toEqual(before);
  });

  it('leave what an earlier process put there, as it is', async () => {
    const directory = pinDirectory(host.path);
    const place = xdp('here');
    const one = engine(directory, host);
    one.configure([wanted('xdp', [denyBad, allow], place)]);
    one.close();
    const before = xdpOf('here');
    for (const programs of [new Map(), new Map([['xdp', unsafe()]])]) {
      const next = engine(directory, host);
      expect(next.configure([{ hook: 'xdp', programs, attachments: [{ place, variant: 'xdp' }] }]).problems).toHaveLength(programs.size);
      expect(next.status().places[0]).toMatchObject({ way: 'native', generation: 1 });
      next.close();
      expect(xdpOf('here')).toEqual(before);
    }
    // Not even its generation has to be whole.
    PinDirectory.open(join(directory, 'v1/hooks/xdp/g1')).unpin('info');
    const last = engine(directory, host);
    last.configure([{ hook: 'xdp', programs: new Map([['xdp', unsafe()]]), attachments: [{ place, variant: 'xdp' }] }]);
    expect(last.status().places[0]).toMatchObject({ way: 'native', generation: undefined });
    expect(xdpOf('here')).toEqual(before);
  });

  it('nothing is attached for programs that never were in force', () => {
    const one = engine(pinDirectory(host.path), host);
    const hooks: WantedHook[] = [
      { hook: 'xdp', programs: new Map([['xdp', unsafe()]]), attachments: [{ place: xdp('here'), variant: 'xdp' }] },
    ];
    expect(one.configure(hooks).problems).toHaveLength(1);
    expect(xdpOf('here')).toBeUndefined();
  });

  it.each([
    { without: 'xdp-link', place: xdp('here'), hook: 'xdp', what: 'XDP' },
    { without: 'map-prog-array', place: tc('here', 'ingress'), hook: 'tc', what: 'tc' },
    { without: 'bpffs', place: xdp('here'), hook: 'xdp', what: 'XDP' },
  ] as const)('of a system without $without are named', ({ without, place, hook, what }) => {
    const one = engine(pinDirectory(host.path), host, [without]);
    const hooks = [wanted(hook, [denyBad, allow], place)];
    const { problems } = one.configure(hooks);
    expect(problems.map((problem) => tellProblem(problem, hooks[0]))).toMatchObject([
      { kind: 'feature-missing', message: `${what} needs what this system lacks: ${without} (it is switched off)` },
    ]);
    expect(xdpOf('here')).toBeUndefined();
  });

  it('XDP goes after the driver where that has none, and says so', () => {
    const one = engine(pinDirectory(host.path), host);
    expect(one.configure([wanted('xdp', [denyBad, allow], xdp('lo', 'auto'))]).problems).toEqual([]);
    expect(one.status().places).toMatchObject([{ way: 'generic', why: 'its driver has no XDP (EOPNOTSUPP)' }]);
    // What is not to be had takes nothing away from what there is.
    const { problems } = one.configure([wanted('xdp', [denyBad, allow], xdp('lo', 'native'))]);
    expect(problems.map(({ error }) => error.message)).toEqual([expect.stringContaining('the driver has no XDP')]);
    const held = xdpOf('lo');
    expect(held?.mode).toBe('generic');
    // It is not tried again and again, and told all the same.
    expect(one.settle().problems).toEqual(problems);
    expect([xdpOf('lo'), one.status().places[0]?.way]).toEqual([held, 'generic']);
    expect(one.configure([wanted('xdp', [denyBad, allow], xdp('lo', 'generic'))]).problems).toEqual([]);
  });
});
