import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Assembler } from './assembler.ts';
import { locateRefusal, readVerifierLog } from './verifier-log.ts';

/** Written by Linux 6.18 about small programs, each wrong in one way; of the two `too-many` the beginning and the end. */
const folder = join(import.meta.dirname, 'verifier-logs');
const read = (name: string): string => readFileSync(join(folder, `${name}.log`), 'utf8');

const rows: readonly { readonly name: string; readonly slot?: number; readonly message: string; readonly instruction?: string }[] = [
  { name: 'register-not-written', slot: 0, instruction: '(bf) r0 = r9', message: 'R9 !read_ok' },
  { name: 'value-may-be-missing', slot: 6, instruction: '(61) r0 = *(u32 *)(r0 +0)', message: "R0 invalid mem access 'map_value_or_null'" },
  {
    name: 'outside-the-packet',
    slot: 2,
    instruction: '(69) r0 = *(u16 *)(r2 +12)',
    message: 'invalid access to packet, off=12 size=2, R2(id=0,off=12,r=0); R2 offset is outside of the packet',
  },
  {
    name: 'outside-on-one-path',
    slot: 7,
    instruction: '(71) r0 = *(u8 *)(r2 +0)',
    message: 'invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0); R2 offset is outside of the packet',
  },
  {
    name: 'unbounded-offset',
    slot: 3,
    instruction: '(0f) r6 += r0',
    message: 'math between pkt pointer and register with unbounded min value is not allowed',
  },
  { name: 'in-a-function', slot: 4, instruction: '(71) r0 = *(u8 *)(r2 +0)', message: "R2 invalid mem access 'scalar'" },
  { name: 'unreachable', slot: 2, message: 'unreachable insn 2' },
  { name: 'jump-out-of-range', slot: 1, message: 'jump out of range from insn 1 to 102' },
  { name: 'infinite-loop', slot: 1, instruction: '(b7) r1 = 1', message: 'infinite loop detected at insn 1' },
  { name: 'loop-with-state', slot: 3, instruction: '(55) if r0 != 0x0 goto pc-2', message: 'infinite loop detected at insn 3' },
  {
    name: 'helper-of-another-type',
    slot: 0,
    instruction: '(85) call bpf_xdp_load_bytes#189',
    message: 'program of this type cannot use helper bpf_xdp_load_bytes#189',
  },
  { name: 'helper-that-is-none', slot: 0, instruction: '(85) call unknown#9999', message: 'invalid func unknown#9999' },
  {
    name: 'wrong-argument',
    slot: 3,
    instruction: '(85) call bpf_map_lookup_elem#1',
    message: 'R2 type=scalar expected=fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_',
  },
  {
    name: 'result-out-of-range',
    slot: 1,
    instruction: '(95) exit',
    message: 'At program exit the register R0 has smin=5 smax=5 should have been in [0, 1]',
  },
  {
    name: 'reference-kept',
    slot: 6,
    instruction: '(95) exit',
    message: 'Unreleased reference id=2 alloc_insn=4; BPF_EXIT instruction in main prog would lead to reference leak',
  },
  { name: 'unknown-opcode', message: 'unknown opcode ff' },
  { name: 'stack-of-two-functions', message: 'combined stack size of 2 calls is 800. Too large' },
  { name: 'sequence-of-calls', slot: 20, instruction: '(85) call pc+2', message: 'the call stack of 9 frames is too deep' },
  {
    name: 'too-many-branches',
    slot: 16385,
    instruction: '(15) if r0 == 0x2001 goto pc+0',
    message: 'The sequence of 8193 jumps is too complex.',
  },
  {
    name: 'too-many-instructions',
    slot: 3,
    instruction: '(55) if r6 != 0x1e8480 goto pc-2',
    message: 'BPF program is too large. Processed 1000001 insn',
  },
];

test.each(rows)('$name: $message', ({ name, slot, message, instruction }) => {
  expect(readVerifierLog(read(name))).toMatchObject({ slot, message, instruction });
});

test('every log that is kept is read', () => {
  expect(readdirSync(folder).sort()).toEqual(rows.map((row) => `${row.name}.log`).sort());
});

test.each([
  { name: 'too-many-instructions', want: { kind: 'instructions', reached: 1_000_001 } },
  { name: 'too-many-branches', want: { kind: 'branches', reached: 8_193 } },
  { name: 'stack-of-two-functions', want: { kind: 'stack', reached: 800 } },
  { name: 'sequence-of-calls', want: { kind: 'frames', reached: 9 } },
  { name: 'infinite-loop', want: undefined },
])('the limit of $name', ({ name, want }) => {
  expect(readVerifierLog(read(name)).limit).toEqual(want);
});

test('what it counted, of a program that it took as well', () => {
  expect(readVerifierLog(read('too-many-instructions')).statistics).toEqual({
    processed: 1_000_001,
    limit: 1_000_000,
    maxStatesPerInstruction: 4,
    totalStates: 25_001,
    peakStates: 25_001,
  });
  const taken = 'processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n';
  expect(readVerifierLog(taken)).toMatchObject({ message: undefined, slot: undefined, statistics: { processed: 2 } });
});

test('states of the older form, with a path that begins again', () => {
  const log = `5: (2d) if r4 > r3 goto pc+2          ; R3_w=pkt_end(off=0,imm=0) R4_w=pkt(off=14,r=14,imm=0)

from 5 to 8: R1=ctx(off=0,imm=0) R2_w=pkt(off=0,r=0,imm=0) R10=fp0
8: (71) r0 = *(u8 *)(r2 +0)
invalid access to packet, off=0 size=1, R2(id=0,off=0,r=0)
R2 offset is outside of the packet
processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;
  expect(readVerifierLog(log)).toMatchObject({ slot: 8, instruction: '(71) r0 = *(u8 *)(r2 +0)', statistics: { processed: 9 } });
});

test.each([
  { log: 'unknown opcode ff\n', want: { message: 'unknown opcode ff', slot: undefined, statistics: undefined } },
  { log: '', want: { message: undefined, slot: undefined, statistics: undefined } },
  {
    log: '5: (85) call bpf_ktime_get_ns#5\nsomething new\nprocessed 7 insns\n',
    want: { message: 'something new', slot: 5, statistics: undefined },
  },
])('logs without much: $log', ({ log, want }) => {
  expect(readVerifierLog(log)).toMatchObject(want);
});

test('a log that was cut off says nothing, and none makes it throw', () => {
  expect(readVerifierLog(read('outside-the-packet').slice(0, 120))).toMatchObject({ message: undefined, slot: undefined });
  const lines = rows.flatMap(({ name }) => read(name).split('\n').slice(-8));
  const line = fc.oneof(fc.constantFrom(...lines), fc.string(), fc.constant('9'.repeat(400)));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (list) => {
      const report = readVerifierLog(list.join('\n'));
      expect(report.slot === undefined || report.message !== undefined).toBe(true);
    }),
  );
});

test('a refusal leads to the function and to what the instruction is for', () => {
  const asm = new Assembler<{ rule: string; line: number }>();
  const inner = asm.label();
  asm.mov('r6', 'r1').callLocal(inner).exit();
  asm.function(inner, 'inner').mov('r2', 5);
  asm.within({ rule: 'web', line: 12 }, () => asm.load('r0', 'u8', 'r2', 0)).exit();
  const program = asm.assemble();
  expect(locateRefusal(readVerifierLog(read('in-a-function')), program)).toEqual({ function: 'inner', origin: { rule: 'web', line: 12 } });
  expect(locateRefusal(readVerifierLog(read('register-not-written')), program)).toEqual({ function: 'main', origin: undefined });
  expect(locateRefusal(readVerifierLog(read('unknown-opcode')), program)).toBeUndefined();
});
