// An XDP program that drops IPv6 and counts it: written, printed, loaded, and run on two frames that never leave this process. As root:
// node --conditions=source --import tsx packages/ebpf/examples/drop-ipv6.ts
import { Assembler, bindProgram, locateRefusal, printProgram } from '@weir/ebpf/asm';
import { BpfMap, BpfProgram, VerifierError } from '@weir/ebpf/kernel';

const XDP_DROP = 1;
const XDP_PASS = 2;

const asm = new Assembler('drop_ipv6');
const pass = asm.label('pass');
asm.within('the frame has an Ethernet header', () => {
  asm.load('r2', 'u32', 'r1', 0).load('r3', 'u32', 'r1', 4);
  asm.mov('r4', 'r2').alu('r4', '+=', 14).jump('r4', '>', 'r3', pass);
});
// 0x86dd, as a little-endian machine reads it.
asm.within('its type is IPv6', () => asm.load('r5', 'u16', 'r2', 12).jump('w5', '!=', 0xdd86, pass));
asm.within('count and drop', () =>
  asm.mapValue('r1', 'dropped', 0).mov('r2', 1).atomic('u64', 'r1', 0, 'add', 'r2').mov('r0', XDP_DROP).exit(),
);
asm.within('pass', () => asm.place(pass).mov('r0', XDP_PASS).exit());

const program = asm.assemble();
for (const line of printProgram(program)) console.log(line);

const dropped = BpfMap.create({ type: 'array', name: 'dropped', valueSize: 8, maxEntries: 1 });
try {
  const instructions = bindProgram(program, { maps: new Map([['dropped', dropped.fd]]) });
  const loaded = BpfProgram.load({ name: 'drop_ipv6', type: 'xdp', instructions });
  for (const type of [0x0800, 0x86dd]) {
    const data = new Uint8Array(64);
    data.set([type >> 8, type & 0xff], 12);
    console.log(`0x${type.toString(16).padStart(4, '0')}: ${loaded.run({ data }).result === XDP_DROP ? 'dropped' : 'passed'}`);
  }
  loaded.close();
} catch (error) {
  if (!(error instanceof VerifierError)) throw error;
  console.error(error.message, 'for', locateRefusal(error.report, program)?.origin);
} finally {
  dropped.close();
}
