import { execFileSync } from 'node:child_process';
import { attachXdp, BpfMap, BpfProgram, listPrograms, RunStatistics, sumCpus, VerifierError, xdpContext } from '@weir/ebpf/kernel';
import { afterAll, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';
import { bpftool, counting, frame, keep, load, refused, returning, u32 } from './ebpf-bed.ts';

describe('programs', () => {
  it.each([
    { name: 'XDP', spec: { type: 'xdp' } },
    { name: 'tc', spec: { type: 'sched_cls' } },
    { name: 'socket filter', spec: { type: 'socket_filter' } },
    { name: 'connect', spec: { type: 'cgroup_sock_addr', attachType: 'cgroup_inet4_connect' } },
    { name: 'netfilter', spec: { type: 'netfilter', attachType: 'netfilter' } },
  ] as const)('$name: what bpftool says is what we say', async ({ spec }) => {
    const program = keep(load({ name: 'weir_show', ...spec }, returning(1)));
    const info = program.info();
    const shown = await bpftool<Record<string, unknown>>('prog', 'show', 'id', String(info.id));
    expect(shown).toMatchObject({
      id: info.id,
      // This bpftool may not know the type.
      type: typeof shown['type'] === 'number' ? info.typeNumber : info.type,
      name: 'weir_show',
      tag: info.tag,
      uid: info.uid,
      bytes_xlated: info.translatedBytes,
      bytes_jited: info.compiledBytes,
    });
    expect(info).toMatchObject({ type: spec.type, mapIds: [], verifiedInstructions: 2 });
    expect(listPrograms()).toContainEqual(info);
    const again = keep(BpfProgram.fromId(info.id));
    expect([again.name, again.info()]).toEqual(['weir_show', info]);
  });

  it('run over a packet, and give it back as they left it', () => {
    // Writes 0xaa to byte 14 and returns byte 15, or 9 for a packet that is too short.
    const program = keep(
      load({ name: 'weir_run', type: 'xdp' }, (asm) => {
        const short = asm.label();
        asm.load('r2', 'u32', 'r1', 0).load('r3', 'u32', 'r1', 4).mov('r4', 'r2').alu('r4', '+=', 16).jump('r4', '>', 'r3', short);
        asm.store('u8', 'r2', 14, 0xaa).load('r0', 'u8', 'r2', 15).exit();
        asm.place(short).mov('r0', 9).exit();
      }),
    );
    const packet = frame(60);
    packet[15] = 3;
    const run = program.run({ data: packet, repeat: 100 });
    expect([run.result, run.data.length, run.data[14], packet[14]]).toEqual([3, 60, 0xaa, 0]);
    expect(run.nanoseconds).toBeGreaterThanOrEqual(0);
    expect(program.run({ data: packet, discard: true })).toMatchObject({ result: 3, data: new Uint8Array(0) });
    expect(program.run({ data: frame(14) }).result).toBe(9);
    expect(refused(() => program.run({ data: new Uint8Array(4) })).reason).toBe('invalid');
    expect(() => program.run({ data: packet, repeat: 0 })).toThrow(RangeError);
  });

  it('take a context, and give it back', () => {
    const program = keep(
      load({ name: 'weir_ctx', type: 'sched_cls' }, (asm) =>
        asm.load('r0', 'u32', 'r1', 8).alu('r0', '+=', 1).store('u32', 'r1', 8, 'r0').exit(),
      ),
    );
    // `struct __sk_buff`: the mark at 8.
    const context = new Uint8Array(192);
    new DataView(context.buffer).setUint32(8, 41, true);
    const run = program.run({ data: frame(), context });
    expect([run.result, new DataView(run.context.buffer).getUint32(8, true)]).toEqual([42, 42]);
  });

  it('are counted while statistics are open', () => {
    const statistics = new RunStatistics();
    const program = keep(load({ name: 'weir_stat', type: 'xdp' }, returning(2)));
    program.run({ data: frame(), repeat: 50 });
    statistics.close();
    statistics.close();
    const { runs, runNanoseconds } = program.info();
    expect(runs).toBe(50n);
    expect(runNanoseconds).toBeGreaterThan(0n);
  });
});

describe('the verifier', () => {
  it('says what it refuses, and at which instruction', () => {
    const error = refused(() =>
      load({ name: 'weir_bad', type: 'xdp' }, (asm) => asm.mov('r6', 1).load('r0', 'u64', 'r10', -8).load('r0', 'u8', 'r6', 0).exit()),
    );
    expect(error).toBeInstanceOf(VerifierError);
    expect(error).toMatchObject({ reason: 'invalid', operation: 'load', object: 'program weir_bad', instruction: 2, complete: true });
    expect(error.message).toBe(
      "load program weir_bad: the kernel does not accept it (at instruction 2: R6 invalid mem access 'scalar'): EACCES",
    );
    expect((error as VerifierError).log).toContain('processed');
  });

  it.each([
    {
      name: 'uninitialised',
      write: (asm: Parameters<Parameters<typeof load>[1]>[0]) => asm.exit(),
      instruction: 0,
      refusal: 'R0 !read_ok',
    },
    {
      name: 'unreachable',
      write: (asm: Parameters<Parameters<typeof load>[1]>[0]) => asm.mov('r0', 0).exit().mov('r0', 1).exit(),
      instruction: 2,
      refusal: 'unreachable insn 2',
    },
    {
      name: 'an endless loop',
      write: (asm: Parameters<Parameters<typeof load>[1]>[0]) => {
        const again = asm.label();
        asm.mov('r0', 0).place(again).goto(again);
      },
      instruction: undefined,
      refusal: 'infinite loop detected',
    },
  ])('$name', ({ write, instruction, refusal }) => {
    const error = refused(() => load({ name: 'weir_bad', type: 'xdp' }, write)) as VerifierError;
    expect(error.report.message).toContain(refusal);
    if (instruction !== undefined) expect(error.instruction).toBe(instruction);
  });

  it('keeps as much of a long log as is asked for', () => {
    // A path of many instructions whose states are all printed, with the mistake at its end.
    const write = (asm: Parameters<Parameters<typeof load>[1]>[0]): void => {
      for (let i = 0; i < 6000; i++) asm.load('r2', 'u32', 'r1', (i % 3) * 4).mov('r3', i);
      asm.load('r0', 'u8', 'r7', 0).exit();
    };
    const spec = { name: 'weir_long', type: 'xdp' } as const;
    const whole = refused(() => load(spec, write)) as VerifierError;
    expect([whole.complete, whole.instruction]).toEqual([true, 12000]);
    expect(whole.log.length).toBeGreaterThan(300_000);
    const part = refused(() => load({ ...spec, logLimit: 20_000 }, write)) as VerifierError;
    expect(part.log.length).toBeLessThan(20_000);
    expect(part.log.length).toBeGreaterThan(10_000);
    expect(part.complete).toBe(false);
  });

  it('is not what refuses a program of a wrong kind', () => {
    const error = refused(() => load({ name: 'weir_kind', type: 'cgroup_sock_addr', attachType: 'xdp' }, returning(1)));
    expect(error).not.toBeInstanceOf(VerifierError);
    expect(error.reason).toBe('invalid');
  });
});

it('the example of the package runs', () => {
  const args = ['--conditions=source', '--import', 'tsx', 'packages/ebpf/examples/block-addresses.ts'];
  const out = execFileSync(process.execPath, args, { encoding: 'utf8' });
  expect(out.split('\n').slice(0, 4)).toEqual(['192.0.2.7 dropped', '192.0.2.8 passed', '198.51.100.3 dropped', '192.0.2.7 dropped']);
  expect(out).toContain('192.0.2.7 was seen 2n times\n');
  expect(out).toContain('attached: generic its driver has no XDP (EOPNOTSUPP)\n');
});

describe('live frames', () => {
  let lab: Lab;
  let host: Host;
  afterAll(() => lab?.dispose());

  it('are really sent: one end of a veth pair transmits, the other counts', async () => {
    lab = new Lab();
    host = await lab.host('live');
    await host.ip('link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two');
    for (const name of ['one', 'two']) {
      await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
      await host.ip('link', 'set', name, 'up');
    }
    const links = JSON.parse(await host.ip('-j', 'link')) as { ifname: string; ifindex: number; address: string }[];
    const one = links.find((link) => link.ifname === 'one')!;
    const two = links.find((link) => link.ifname === 'two')!;
    const seen = keep(BpfMap.create({ name: 'seen', type: 'percpu_array', valueSize: 8, maxEntries: 1 }));
    const counter = keep(load({ name: 'weir_seen', type: 'xdp' }, counting('seen', 1), [seen]));
    const { link, mode } = attachXdp(counter, { interface: two.ifindex, netns: host.path });
    keep(link);
    expect(mode).toBe('native');
    const sender = keep(load({ name: 'weir_tx', type: 'xdp' }, returning(3)));
    const packet = frame(64);
    packet.set(two.address.split(':').map((part) => Number.parseInt(part, 16)));
    const count = 20_000;
    sender.run({ data: packet, context: xdpContext(packet.length, one.ifindex), repeat: count, live: { netns: host.path } });
    let got = 0n;
    for (let tries = 0; tries < 100 && got < BigInt(count); tries++) {
      got = sumCpus(seen.lookup(u32(0))!, 8)[0]!;
      if (got < BigInt(count)) await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // The receiving ring holds 256: some may be lost while another process has the CPU.
    expect(got).toBeGreaterThan(BigInt(count * 0.9));
    expect(got).toBeLessThanOrEqual(BigInt(count));
  });
});
