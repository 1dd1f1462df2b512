import { once } from 'node:events';
import { BpfProgram } from '@weir/ebpf/kernel';

/** Says that it is ready, waits for a line, then runs a program, by its id, over a packet. */
const [id, frame, times] = process.argv.slice(2);
const program = BpfProgram.fromId(Number(id));
const data = Uint8Array.from(Buffer.from(frame ?? '', 'hex'));
console.log('ready');
await once(process.stdin, 'data');
program.run({ data, discard: true, repeat: Number(times) });
program.close();
process.exit(0);
