import type { Hook } from '@weir/filter/scheme';
import type { Place } from '../../model/ebpf-program.ts';
import { hookNumber } from '../../model/verdict-event-codec.ts';
import { EVENT_OCTETS, EVENT_AT as FIELD, EVENT_HAS as HAS } from '../../model/verdict-event-layout.ts';
import { isConnectPlace } from './connect/places.ts';
import { EVENT_COUNT, EVENTS, GENERATION } from './event-maps.ts';
import { type EventRegisters, emitEventCount, emitSampling } from './event-sampling.ts';
import { CONTEXT, type RuleAssembler, STACK } from './layout.ts';
import { signMask, zeroMask } from './read-packet.ts';
import { ENTRY, ENTRY_FLAG } from './rule-table.ts';

export interface EventOptions extends EventRegisters {
  readonly place: Place;
  readonly hook: Hook;
}

/** While a record is written: its address. What the register held waits in the scratch octets. */
const RECORD = 'r9';
const ANSWER_AT = STACK.scratch + 16;
const DENIED = 2;

/** struct __sk_buff and struct xdp_md. */
const SKB = { ingressInterface: 36, interface: 40, socket: 168 } as const;
const XDP_INGRESS_INTERFACE = 12;

const PROCESS_OCTETS = 16;
const TCP = 6;
const WITH_PORTS = [TCP, 17, 132] as const;

/**
 * Writes the event of the packet and the rule to the ring buffer, where the rule gives events and it is not sampled out; counts what does not find room. r9 is the answer of the rule before
 * audit, 0 where it goes on, which is what records call its verdict; it is kept, as are r6 to r8. r0 to r5 are lost.
 */
export function emitEvent(asm: RuleAssembler, options: EventOptions): void {
  const { frame, entry } = options;
  const wanted = asm.label('an event');
  const full = asm.label('no room for it');
  const done = asm.label('no event');
  // A zero that the verifier does not know for one: it walks what follows once, not once for each answer.
  asm.load('r1', 'u32', entry, ENTRY.index).mov('r2', 'r1').alu('r2', '^=', -1).alu('r1', '&=', 'r2').alu(RECORD, '^=', 'r1');
  asm.load('r1', 'u8', entry, ENTRY.flags).mov('r2', 'r1').alu('r2', '&=', ENTRY_FLAG.log).jump('r2', '!=', 0, wanted);
  asm.alu('r1', '&=', ENTRY_FLAG.audit).jump('r1', '==', 0, done).jump(RECORD, '!=', DENIED, done);
  asm.place(wanted).load('r1', 'u32', entry, ENTRY.index).store('u64', frame, STACK.scratch, 'r1');
  emitSampling(asm, options, done);
  asm.map('r1', EVENTS).mov('r2', EVENT_OCTETS).mov('r3', 0).call('ringbuf_reserve').jump('r0', '==', 0, full);
  asm.store('u64', frame, ANSWER_AT, RECORD).mov(RECORD, 'r0');
  emitCalled(asm, options);
  emitPacket(asm, options);
  asm.mov('r1', RECORD).mov('r2', 0).call('ringbuf_submit').load(RECORD, 'u64', frame, ANSWER_AT).goto(done);
  asm.place(full);
  emitEventCount(asm, frame, EVENT_COUNT.lost, done);
  asm.place(done);
}

/** What functions of the kernel say: the time, the program, whose packet it is. */
function emitCalled(asm: RuleAssembler, { place, frame }: EventOptions): void {
  asm.call('ktime_get_boot_ns').store('u64', RECORD, FIELD.time, 'r0');
  const known = asm.label('generation known');
  asm
    .store('u64', frame, STACK.scratch + 8, 0)
    .mov('r2', frame)
    .alu('r2', '+=', STACK.scratch + 8)
    .map('r1', GENERATION);
  asm.call('map_lookup_elem').mov('r1', 0).jump('r0', '==', 0, known).load('r1', 'u32', 'r0', 0).place(known);
  asm.store('u32', RECORD, FIELD.generation, 'r1');
  asm.store('u32', RECORD, FIELD.pid, 0).store('u32', RECORD, FIELD.uid, 0).store('u64', RECORD, FIELD.cgroup, 0);
  asm.store('u64', RECORD, FIELD.process, 0).store('u64', RECORD, FIELD.process + 8, 0);
  asm.store('u8', RECORD, FIELD.has, 0);
  if (isConnectPlace(place)) {
    asm.call('get_current_pid_tgid').alu('r0', '>>=', 32).store('u32', RECORD, FIELD.pid, 'r0');
    asm.call('get_current_uid_gid').store('u32', RECORD, FIELD.uid, 'r0');
    asm.call('get_current_cgroup_id').store('u64', RECORD, FIELD.cgroup, 'r0');
    asm.mov('r1', RECORD).alu('r1', '+=', FIELD.process).mov('r2', PROCESS_OCTETS).call('get_current_comm');
    asm.store('u8', RECORD, FIELD.has, HAS.pid | HAS.uid | HAS.cgroup);
  } else if (place === 'tc') {
    const nobody = asm.label('of no socket');
    // On its way in from another namespace of this machine it may have the sender's still.
    asm.load('r1', 'u32', CONTEXT, SKB.ingressInterface).load('r2', 'u32', CONTEXT, SKB.interface).jump('r1', '==', 'r2', nobody);
    asm.load('r1', 'u64', CONTEXT, SKB.socket).jump('r1', '==', 0, nobody);
    asm.mov('r1', CONTEXT).call('get_socket_uid').store('u32', RECORD, FIELD.uid, 'r0');
    asm.mov('r1', CONTEXT).call('skb_cgroup_id').store('u64', RECORD, FIELD.cgroup, 'r0');
    asm.store('u8', RECORD, FIELD.has, HAS.uid | HAS.cgroup).place(nobody);
  }
}

/** What is on the stack, in the table and in the context. No function is called: r5 gathers the bits of `has`. */
function emitPacket(asm: RuleAssembler, options: EventOptions): void {
  const { place, hook, frame, entry } = options;
  asm.load('r5', 'u8', RECORD, FIELD.has);
  asm.load('r1', 'u32', entry, ENTRY.index).store('u32', RECORD, FIELD.rule, 'r1');
  if (isConnectPlace(place)) asm.store('u32', RECORD, FIELD.length, 0);
  else asm.load('r1', 'u64', frame, STACK.length).store('u32', RECORD, FIELD.length, 'r1');
  emitInterfaces(asm, options);
  asm.store('u8', RECORD, FIELD.hook, hookNumber(hook)).store('u16', RECORD, FIELD.scope, 0);
  emitVerdict(asm, options);
  emitAddresses(asm, options);

  asm.load('r1', 'u64', frame, STACK.protocol).store('u8', RECORD, FIELD.protocol, 'r1');
  // Bit 31 says that there is none.
  asm.alu('r1', '>>=', 31).alu('r1', '^=', 1).alu('r1', '&=', HAS.protocol).alu('r5', '|=', 'r1');
  // r2: -1 where the protocol has ports and they are there.
  asm.mov('r2', 0);
  for (const protocol of WITH_PORTS) {
    asm.load('r1', 'u64', frame, STACK.protocol).alu('r1', '^=', protocol);
    zeroMask(asm, 'r1');
    asm.alu('r2', '|=', 'r1');
  }
  emitPresent(asm, 'r1', frame, STACK.transportLength, 4);
  asm.alu('r2', '&=', 'r1').load('r1', 'u32', frame, STACK.transport).alu('r1', '&=', 'r2').store('u32', RECORD, FIELD.sourcePort, 'r1');
  asm.alu('r2', '&=', HAS.ports).alu('r5', '|=', 'r2');

  emitPresent(asm, 'r2', frame, STACK.transportLength, 14);
  asm.load('r1', 'u64', frame, STACK.protocol).alu('r1', '^=', TCP);
  zeroMask(asm, 'r1');
  asm
    .alu('r2', '&=', 'r1')
    .load('r1', 'u8', frame, STACK.transport + 13)
    .alu('r1', '&=', 'r2');
  asm.store('u8', RECORD, FIELD.tcpFlags, 'r1').alu('r2', '&=', HAS.tcpFlags).alu('r5', '|=', 'r2');
  asm.store('u8', RECORD, FIELD.has, 'r5');
}

function emitInterfaces(asm: RuleAssembler, { place, hook }: EventOptions): void {
  asm.mov('r1', 0).mov('r2', 0);
  if (place === 'xdp') asm.load('r1', 'u32', CONTEXT, XDP_INGRESS_INTERFACE);
  else if (!isConnectPlace(place)) {
    asm.load('r1', 'u32', CONTEXT, SKB.ingressInterface);
    if (place === 'tc' || hook === 'output') asm.load('r2', 'u32', CONTEXT, SKB.interface);
    if (place === 'tc') {
      // Where it came in is where it is: it is not leaving.
      asm.mov('r3', 'r1').alu('r3', '^=', 'r2');
      zeroMask(asm, 'r3');
      asm.alu('r3', '^=', -1).alu('r2', '&=', 'r3');
    }
  }
  asm.store('u32', RECORD, FIELD.input, 'r1').store('u32', RECORD, FIELD.output, 'r2');
}

/** The numbers of answers and actions are those of verdicts. */
function emitVerdict(asm: RuleAssembler, { frame, entry }: EventOptions): void {
  const ends = asm.label('it ends');
  asm.load('r1', 'u64', frame, ANSWER_AT).mov('r2', 'r1').jump('r1', '!=', 0, ends).load('r1', 'u8', entry, ENTRY.action).place(ends);
  asm.store('u8', RECORD, FIELD.verdict, 'r1');
  asm.alu('r2', '^=', DENIED);
  zeroMask(asm, 'r2');
  asm.load('r1', 'u8', entry, ENTRY.flags).alu('r1', '&=', ENTRY_FLAG.audit).alu('r1', '<<=', 4);
  asm.alu('r2', '&=', 'r1').alu('r5', '|=', 'r2');
}

/** Family and addresses, where both addresses are there. */
function emitAddresses(asm: RuleAssembler, { frame, place }: EventOptions): void {
  // Where there is no packet the destination is there, and no length.
  if (isConnectPlace(place)) asm.mov('r1', -1).mov('r2', -1);
  else {
    emitPresent(asm, 'r1', frame, STACK.length, 20);
    emitPresent(asm, 'r2', frame, STACK.length, 40);
  }
  asm.load('r3', 'u64', frame, STACK.ip4).alu('r1', '&=', 'r3');
  asm.load('r3', 'u64', frame, STACK.ip6).alu('r2', '&=', 'r3');
  for (const [field, at4, at6] of [
    [FIELD.source, 12, 8],
    [FIELD.destination, 16, 24],
  ] as const) {
    asm.load('r3', 'u32', frame, STACK.network + at4).alu('r3', '&=', 'r1');
    asm
      .load('r4', 'u64', frame, STACK.network + at6)
      .alu('r4', '&=', 'r2')
      .alu('r3', '|=', 'r4')
      .store('u64', RECORD, field, 'r3');
    asm
      .load('r4', 'u64', frame, STACK.network + at6 + 8)
      .alu('r4', '&=', 'r2')
      .store('u64', RECORD, field + 8, 'r4');
  }
  asm.alu('r1', '&=', 4).alu('r2', '&=', 6).alu('r1', '|=', 'r2').store('u8', RECORD, FIELD.family, 'r1');
}

/** -1 where there are so many octets, else 0. */
function emitPresent(asm: RuleAssembler, to: 'r1' | 'r2', frame: EventRegisters['frame'], lengthAt: number, octets: number): void {
  asm.load(to, 'u64', frame, lengthAt).alu(to, '-=', octets);
  signMask(asm, to);
  asm.alu(to, '^=', -1);
}
