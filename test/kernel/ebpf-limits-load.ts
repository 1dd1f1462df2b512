import { BpfProgram } from '@weir/ebpf/kernel';

/** Runs a program, by its id, over a packet; prints when it began and ended. */
const [id, frame, times] = process.argv.slice(2);
const program = BpfProgram.fromId(Number(id));
const data = Uint8Array.from(Buffer.from(frame ?? '', 'hex'));
const from = process.hrtime.bigint();
program.run({ data, discard: true, repeat: Number(times) });
console.log(`${from} ${process.hrtime.bigint()}`);
program.close();
