// An XDP program that drops IPv4 packets from the addresses in a map, written, loaded, tried and attached. Run as root:
//   node --conditions=source --import tsx packages/ebpf/examples/block-addresses.ts
// It attaches to the loopback interface of a network namespace of its own, which is gone at the end.
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { attachXdp, BpfMap, BpfProgram, readEntries, updateBatch } from '@weir/ebpf/kernel';
import { NetworkNamespace } from '@weir/sys';

const PASS = 2;
const DROP = 1;

const blocked = BpfMap.create({ name: 'blocked', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 1024 });
// 192.0.2.7 and 198.51.100.3, each with a count of 0.
updateBatch(blocked, Uint8Array.of(192, 0, 2, 7, 198, 51, 100, 3), new Uint8Array(16));

const asm = new Assembler();
const pass = asm.label('pass');
// r2: the packet, r3: its end. Ethernet has 14 bytes, IPv4 at least 20; the source address is at 26.
asm.load('r2', 'u32', 'r1', 0).load('r3', 'u32', 'r1', 4);
asm.mov('r4', 'r2').alu('r4', '+=', 34).jump('r4', '>', 'r3', pass);
asm.load('r5', 'u16', 'r2', 12).jump('w5', '!=', 0x0008, pass);
asm.load('r5', 'u32', 'r2', 26).store('u32', 'r10', -4, 'r5');
asm.map('r1', 'blocked').mov('r2', 'r10').alu('r2', '+=', -4).call('map_lookup_elem').jump('r0', '==', 0, pass);
asm.mov('r1', 1).atomic('u64', 'r0', 0, 'add', 'r1').mov('r0', DROP).exit();
asm.place(pass).mov('r0', PASS).exit();

const instructions = bindProgram(asm.assemble(), { maps: new Map([['blocked', blocked.fd]]) });
const program = BpfProgram.load({ name: 'block', type: 'xdp', instructions });

function packetFrom(...source: readonly number[]): Uint8Array {
  const packet = new Uint8Array(64);
  packet.set([0x08, 0x00, 0x45], 12);
  packet.set(source, 26);
  return packet;
}

for (const source of [
  [192, 0, 2, 7],
  [192, 0, 2, 8],
  [198, 51, 100, 3],
  [192, 0, 2, 7],
]) {
  const { result } = program.run({ data: packetFrom(...source) });
  console.log(source.join('.'), result === DROP ? 'dropped' : 'passed');
}
readEntries(blocked, (key, value) => {
  console.log([...key].join('.'), 'was seen', new DataView(value.buffer, value.byteOffset).getBigUint64(0, true), 'times');
});

const namespace = NetworkNamespace.make();
const attached = attachXdp(program, { interface: 1, netns: namespace.path });
console.log('attached:', attached.mode, attached.mode === 'generic' ? attached.why : '');

attached.link.close();
namespace.close();
program.close();
blocked.close();
