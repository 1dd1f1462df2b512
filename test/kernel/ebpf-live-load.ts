import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { BpfError, BpfProgram, xdpContext } from '@weir/ebpf/kernel';

/**
 * Sends frames out of an interface as fast as the kernel can, or a batch at a time: NETNS INDEX ROUNDS FRAMES PAUSE HEX... Each round sends FRAMES copies of each frame, then waits PAUSE ms. Prints
 * how many copies of each were sent and the milliseconds that it took.
 */
const [netns = '', index, rounds, frames, pause, ...hex] = process.argv.slice(2);
const XDP_TX = 3;
const BATCH = 64;
const EAGAIN = 11;
const EINTR = 4;
const program = BpfProgram.load({
  name: 'weir_load',
  type: 'xdp',
  instructions: bindProgram(new Assembler().mov('r0', XDP_TX).exit().assemble(), {}),
});
const packets = hex.map((one) => Uint8Array.from(Buffer.from(one, 'hex')));
const from = performance.now();
for (let round = 0; round < Number(rounds); round++) {
  for (const data of packets) {
    try {
      program.run({ data, context: xdpContext(data.length, Number(index)), repeat: Number(frames), live: { batch: BATCH, netns } });
    } catch (error) {
      if (!(error instanceof BpfError) || (error.errno !== EAGAIN && error.errno !== EINTR)) throw error;
    }
  }
  if (Number(pause) > 0) await new Promise((resolve) => setTimeout(resolve, Number(pause)));
}
console.log(`${Number(rounds) * Number(frames)} ${performance.now() - from}`);
program.close();
