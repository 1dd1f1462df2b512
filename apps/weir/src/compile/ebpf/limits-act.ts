import type { Label, Register } from '@weir/ebpf/asm';
import { type RuleAssembler, STACK } from './layout.ts';
import { type Admission, COUNTED_BY, LIMIT_ENTRY, LIMIT_KEY, LIMIT_ROOM, LIMIT_SHARED, LIMITS, ROOM, SHARED_BUCKET } from './limits.ts';
import { emitTake } from './limits-gcra.ts';

/** What the code of limits is written with. */
export interface LimitContext {
  /** The frame of the program, with the facts about the packet; kept across calls. */
  readonly frame: Register;
  /** Where the limit of the rule is (LIMIT_ENTRY); kept across calls. */
  readonly entry: Register;
  readonly entryAt: number;
  /** Kept across calls and free to use. */
  readonly bucket: Register;
  /** Undefined where every limit counts by rule. */
  readonly admission: Admission | undefined;
  /** There is a process that asks, and no source. */
  readonly atConnect: boolean;
  readonly under: Label;
  readonly over: Label;
}

const KEY = STACK.scratch;
const KEY_END = KEY + LIMIT_KEY.octets;
const NOEXIST = 1;

/** Goes to `under` and takes from the bucket, or to `over`. r0 to r5, the scratch octets and `work` are lost. */
export function emitLimit(asm: RuleAssembler, context: LimitContext): void {
  const { frame, entry, entryAt, bucket, admission } = context;
  const take = asm.label('take');
  const shared = asm.label('shared bucket');
  asm.load('r1', 'u64', entry, entryAt + LIMIT_ENTRY.key).store('u64', frame, KEY, 'r1');
  if (admission) {
    asm.load('r1', 'u8', entry, entryAt + LIMIT_ENTRY.by).jump('r1', '==', COUNTED_BY.rule, shared);
    const counted = asm.label('key');
    if (context.atConnect) emitCaller(asm, context, counted);
    emitAddress(asm, context);
    asm.place(counted);
    lookUp(asm, frame, LIMITS);
    asm.mov(bucket, 'r0').jump('r0', '!=', 0, take);
    emitAdmit(asm, context, admission, take);
    // No room: counted for the rule below, and in all here.
    asm.mapValue('r1', LIMIT_ROOM, 0).mov('r2', 1).atomic('u64', 'r1', ROOM.refused, 'add', 'r2');
    emitShared(asm, context);
    asm.mov('r1', 1).atomic('u64', bucket, SHARED_BUCKET.sharing, 'add', 'r1').goto(take);
  }
  asm.place(shared);
  emitShared(asm, context);
  asm.place(take);
  emitCost(asm, context);
  emitTake(asm, {
    bucket,
    offset: SHARED_BUCKET.time,
    horizon: () => asm.load('r1', 'u64', entry, entryAt + LIMIT_ENTRY.horizon),
    tolerance: () => asm.load('r1', 'u64', entry, entryAt + LIMIT_ENTRY.tolerance),
    taken: context.under,
    over: context.over,
  });
}

/** r0: the value of the key in the scratch octets. */
function lookUp(asm: RuleAssembler, frame: Register, map: string): void {
  asm.mov('r2', frame).alu('r2', '+=', KEY).map('r1', map).call('map_lookup_elem');
}

/** Makes an entry for the key in the scratch octets, with the value at `value` of the frame; one that is there already stays. */
function insert(asm: RuleAssembler, frame: Register, map: string, value: number): void {
  asm.mov('r2', frame).alu('r2', '+=', KEY).mov('r3', frame).alu('r3', '+=', value).mov('r4', NOEXIST);
  asm.map('r1', map).call('map_update_elem');
}

/** The number of the process or of its cgroup behind the rule's key, where that counts; then goes to `counted`. */
function emitCaller(asm: RuleAssembler, { frame, entry, entryAt }: LimitContext, counted: Label): void {
  const address = asm.label('an address');
  const cgroup = asm.label('a cgroup');
  const known = asm.label('caller');
  asm.load('r1', 'u8', entry, entryAt + LIMIT_ENTRY.by).jump('r1', '<', COUNTED_BY.process, address);
  asm.jump('r1', '!=', COUNTED_BY.process, cgroup);
  asm.call('get_current_pid_tgid').alu('r0', '>>=', 32).goto(known);
  asm.place(cgroup).call('get_current_cgroup_id');
  asm
    .place(known)
    .store('u64', frame, KEY + 8, 'r0')
    .mov('r1', 0)
    .store('u64', frame, KEY + 16, 'r1')
    .goto(counted);
  asm.place(address);
}

/** The part of the address that counts, behind the rule's key. What is neither IPv4 nor IPv6 has none: it counts as ::. */
function emitAddress(asm: RuleAssembler, { frame, entry, entryAt }: LimitContext): void {
  const ip6 = asm.label('not IPv4');
  const end = asm.label('address');
  const of = (field: 'clear4' | 'clear6' | 'clear6Low' | 'clear6High'): Register => {
    asm.load('r3', 'u8', entry, entryAt + LIMIT_ENTRY[field]);
    return 'r3';
  };
  // r1: the header from the source address on, or from the destination on; r2: 1 or 0.
  asm
    .load('r2', 'u8', entry, entryAt + LIMIT_ENTRY.by)
    .alu('r2', '&=', COUNTED_BY.destination)
    .alu('r2', '>>=', 1);
  asm.load('r1', 'u64', frame, STACK.ip4).jump('r1', '==', 0, ip6);
  // Both are loaded and one is chosen: an offset that is not known would cost the verifier.
  asm.load('r4', 'u32', frame, STACK.network + 12).load('r5', 'u32', frame, STACK.network + 16);
  choose(asm);
  asm.byteOrder('r4', 'be', 32);
  clear(asm, of('clear4'));
  asm.byteOrder('r4', 'be', 32).alu('r4', '<<=', 32).mov('w5', 0xffff_0000).alu('r4', '|=', 'r5');
  asm
    .store('u64', frame, KEY + 16, 'r4')
    .mov('r4', 0)
    .store('u64', frame, KEY + 8, 'r4')
    .goto(end);
  asm.place(ip6);
  asm.load('r4', 'u64', frame, STACK.network + 8).load('r5', 'u64', frame, STACK.network + 24);
  choose(asm);
  asm.byteOrder('r4', 'be', 64);
  clear(asm, of('clear6'));
  asm
    .byteOrder('r4', 'be', 64)
    .load('r1', 'u64', frame, STACK.ip6)
    .alu('r4', '&=', 'r1')
    .store('u64', frame, KEY + 8, 'r4');
  asm.load('r4', 'u64', frame, STACK.network + 16).load('r5', 'u64', frame, STACK.network + 32);
  choose(asm);
  asm.byteOrder('r4', 'be', 64);
  const low = of('clear6Low');
  asm.load('r1', 'u8', entry, entryAt + LIMIT_ENTRY.clear6High);
  asm.alu('r4', '>>=', low).alu('r4', '>>=', 'r1').alu('r4', '<<=', low).alu('r4', '<<=', 'r1');
  asm
    .byteOrder('r4', 'be', 64)
    .load('r1', 'u64', frame, STACK.ip6)
    .alu('r4', '&=', 'r1')
    .store('u64', frame, KEY + 16, 'r4');
  asm.place(end);
}

/** r4 becomes r5 where r2 is 1. r3 and r5 are lost. */
function choose(asm: RuleAssembler): void {
  asm.mov('r3', 0).alu('r3', '-=', 'r2').alu('r5', '^=', 'r4').alu('r5', '&=', 'r3').alu('r4', '^=', 'r5');
}

/** So many of the last bits of r4 become 0. */
function clear(asm: RuleAssembler, bits: Register): void {
  asm.alu('r4', '>>=', bits).alu('r4', '<<=', bits);
}

/** A bucket for an address that has none, where there is room: goes to `take` with it. */
function emitAdmit(asm: RuleAssembler, { frame, bucket }: LimitContext, { cost, tolerance }: Admission, take: Label): void {
  const admitted = asm.label('room');
  const full = asm.label('no room');
  asm.call('ktime_get_ns').mov('r3', 'r0').mapValue(bucket, LIMIT_ROOM, 0).set('r2', cost);
  emitTake(asm, {
    bucket,
    offset: ROOM.time,
    horizon: () => asm.set('r1', tolerance + (1n << 36n)),
    tolerance: () => asm.set('r1', tolerance),
    taken: admitted,
    over: full,
  });
  asm.place(admitted).mov('r1', 1).atomic('u64', bucket, ROOM.admitted, 'add', 'r1');
  asm.mov('r1', 0).store('u64', frame, STACK.work, 'r1');
  insert(asm, frame, LIMITS, STACK.work);
  lookUp(asm, frame, LIMITS);
  asm.mov(bucket, 'r0').jump('r0', '!=', 0, take).place(full);
}

/** The bucket of the rule in `bucket`; what cannot have one is over. */
function emitShared(asm: RuleAssembler, { frame, bucket, over }: LimitContext): void {
  const found = asm.label('found');
  lookUp(asm, frame, LIMIT_SHARED);
  asm.mov(bucket, 'r0').jump('r0', '!=', 0, found);
  asm.mov('r1', 0);
  for (let at = KEY + 8; at < KEY_END; at += 8) asm.store('u64', frame, at, 'r1');
  insert(asm, frame, LIMIT_SHARED, KEY + 8);
  lookUp(asm, frame, LIMIT_SHARED);
  asm.mov(bucket, 'r0').jump('r0', '==', 0, over);
  asm.place(found);
}

/** r2: what the packet costs; r3: the time, as the bucket counts it. */
function emitCost(asm: RuleAssembler, { frame, entry, entryAt }: LimitContext): void {
  asm
    .call('ktime_get_ns')
    .load('r1', 'u8', entry, entryAt + LIMIT_ENTRY.shift)
    .mov('r3', 'r0')
    .alu('r3', '<<=', 'r1');
  asm
    .load('r2', 'u64', frame, STACK.length)
    .load('r1', 'u64', entry, entryAt + LIMIT_ENTRY.perOctet)
    .alu('r2', '*=', 'r1');
  asm.load('r1', 'u64', entry, entryAt + LIMIT_ENTRY.perPacket).alu('r2', '+=', 'r1');
}
