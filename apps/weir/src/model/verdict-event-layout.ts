export type EventFieldName =
  | 'time'
  | 'rule'
  | 'generation'
  | 'length'
  | 'input'
  | 'output'
  | 'pid'
  | 'cgroup'
  | 'uid'
  | 'sourcePort'
  | 'destinationPort'
  | 'hook'
  | 'family'
  | 'protocol'
  | 'verdict'
  | 'has'
  | 'tcpFlags'
  | 'scope'
  | 'source'
  | 'destination'
  | 'process';

/** A field of an event's record: `size` octets at `at`. */
interface LayoutField {
  readonly name: EventFieldName;
  readonly at: number;
  readonly size: 1 | 2 | 4 | 8 | 16;
}

/**
 * The record of a verdict event, one layout for all hooks: programs write it, the reader takes it apart, and what nf_tables logs is put into it. Integers are in host order, ports and
 * addresses as in the packet; an IPv4 address has the first four octets of its field, the rest is zero. What is absent is zero, and `has` says so.
 *
 *      0      time                      8       rule            12  generation
 *     16      length       20  input    24      output          28  pid
 *     32      cgroup                    40      uid             44  source port · destination port
 *     48 hook · family · protocol · verdict · has · TCP flags · scope
 *     56      source                                            72  destination
 *     88      process, ended by a zero
 */
export const EVENT_FIELDS: readonly LayoutField[] = [
  { name: 'time', at: 0, size: 8 },
  { name: 'rule', at: 8, size: 4 },
  { name: 'generation', at: 12, size: 4 },
  { name: 'length', at: 16, size: 4 },
  { name: 'input', at: 20, size: 4 },
  { name: 'output', at: 24, size: 4 },
  { name: 'pid', at: 28, size: 4 },
  { name: 'cgroup', at: 32, size: 8 },
  { name: 'uid', at: 40, size: 4 },
  { name: 'sourcePort', at: 44, size: 2 },
  { name: 'destinationPort', at: 46, size: 2 },
  { name: 'hook', at: 48, size: 1 },
  { name: 'family', at: 49, size: 1 },
  { name: 'protocol', at: 50, size: 1 },
  { name: 'verdict', at: 51, size: 1 },
  { name: 'has', at: 52, size: 1 },
  { name: 'tcpFlags', at: 53, size: 1 },
  { name: 'scope', at: 54, size: 2 },
  { name: 'source', at: 56, size: 16 },
  { name: 'destination', at: 72, size: 16 },
  { name: 'process', at: 88, size: 16 },
];

/** Octets of a record. */
export const EVENT_OCTETS: number = EVENT_FIELDS.reduce((end, { at, size }) => Math.max(end, at + size), 0);

/** Where each field is. */
export const EVENT_AT: { readonly [F in EventFieldName]: number } = Object.fromEntries(EVENT_FIELDS.map(({ name, at }) => [name, at])) as {
  readonly [F in EventFieldName]: number;
};

/** Bits of `has`: what is not zero but absent, and what else has two values. `audit` has the value of the bit that audited rules have in a program's table, moved by 4. */
export const EVENT_HAS = { protocol: 1, ports: 2, tcpFlags: 4, pid: 8, uid: 16, audit: 32, nflog: 64, cgroup: 128 } as const;
