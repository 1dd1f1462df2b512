import { expect, it } from 'vitest';
import { readRefusal } from './verifier-log.ts';

// Logs of Linux 6.18, level 1.
it.each([
  {
    name: 'a bad access',
    log: "0: R1=ctx() R10=fp0\n0: (b7) r6 = 1                        ; R6=1\n1: (71) r0 = *(u8 *)(r6 +0)\nR6 invalid mem access 'scalar'\nprocessed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n",
    want: { refusal: "R6 invalid mem access 'scalar'", instruction: 1 },
  },
  {
    name: 'an index in the text',
    log: 'unreachable insn 2\nprocessed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n',
    want: { refusal: 'unreachable insn 2', instruction: 2 },
  },
  {
    name: 'states after the text',
    log: '0: (b7) r0 = 0\n1: (05) goto pc-1\ninfinite loop detected at insn 1\ncur state: R0=0 R1=ctx() R10=fp0\nold state: R0=0 R1=ctx() R10=fp0\nprocessed 3 insns\n',
    want: { refusal: 'infinite loop detected at insn 1', instruction: 1 },
  },
  {
    name: 'too complex',
    log: '5: (85) call bpf_ktime_get_ns#5\nBPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns\n',
    want: { refusal: 'BPF program is too large. Processed 1000001 insn', instruction: 5 },
  },
  { name: 'a text alone', log: 'unknown opcode ff\n', want: { refusal: 'unknown opcode ff', instruction: undefined } },
  { name: 'nothing', log: '', want: { refusal: '', instruction: undefined } },
])('$name', ({ log, want }) => {
  expect(readRefusal(log)).toEqual(want);
});
