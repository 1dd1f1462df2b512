import { CT_STATE, type Expression, NftClient, NftTransaction } from '@weir/netlink/nftables';
import { KernelError } from '@weir/netlink/socket';
import { Writer } from '@weir/wire/bytes';

export type ReplayHook = 'prerouting' | 'input' | 'forward' | 'output';
/** As conntrack calls them. */
export type ReplayState = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

const FAMILY = 'inet';
/** The table whose rules mark what comes to the hook. */
export const OBSERVER_TABLE = 'weir_replay';
const STATES: readonly ReplayState[] = ['new', 'established', 'related', 'invalid', 'untracked'];
const EARLY = -500;
const REGISTER = 1;
const ACCEPT: Expression = { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'accept' } } };
const TRACE: readonly Expression[] = [
  { kind: 'immediate', dreg: REGISTER, data: { kind: 'value', bytes: new Uint8Array([1]) } },
  { kind: 'meta', key: 'nftrace', sreg: REGISTER },
];

export interface ObserverOptions {
  readonly hook: ReplayHook;
  /** Of the base chain that is watched. */
  readonly priority: number;
  /** Tell the state of each packet's connection; has connections tracked. */
  readonly states: boolean;
}

/**
 * Writes the table that watches packets: just before the watched priority each is marked for tracing, by one rule for each state of its connection. What the kernel answers to
 * packets goes nowhere, and neither does what has left. Returns the states that the rules stand for, by handle. KernelError when the kernel refuses.
 */
export function observe(netns: string, { hook, priority, states }: ObserverOptions): ReadonlyMap<number, ReplayState> {
  const table = OBSERVER_TABLE;
  const transaction = new NftTransaction();
  const chain = (name: string, at: ReplayHook, order: number, policy: 'accept' | 'drop'): void => {
    transaction.addChain({ family: FAMILY, table, name, base: { type: 'filter', hook: at, priority: order, policy } });
  };
  transaction.addTable({ family: FAMILY, name: table });
  chain('before', hook, priority - 1, 'accept');
  if (hook === 'output') chain('back', 'prerouting', EARLY, 'drop');
  else chain('answers', 'output', EARLY, 'drop');
  for (const state of states ? STATES : [undefined]) {
    const expressions = [...(state === undefined ? [] : isState(state)), ...TRACE, ACCEPT];
    transaction.addRule({ family: FAMILY, table, chain: 'before', expressions, ...(state === undefined ? {} : { comment: state }) });
  }
  const client = new NftClient({ netns });
  try {
    const result = client.commit(transaction);
    if (result.kind === 'refused' && result.errors[0]) throw result.errors[0];
    if (result.kind !== 'committed') throw new KernelError('write the observing table', 0, { message: result.kind });
    const found = new Map<number, ReplayState>();
    for (const rule of client.rules({ family: FAMILY, table })) {
      const state = STATES.find((one) => one === rule.comment);
      if (state) found.set(Number(rule.handle), state);
    }
    return found;
  } finally {
    client.close();
  }
}

function isState(state: ReplayState): readonly Expression[] {
  const mask = new Writer(4).u32LE(CT_STATE[state]).finish();
  const none = new Uint8Array(4);
  return [
    { kind: 'ct', key: 'state', dreg: REGISTER },
    { kind: 'bitwise', op: 'mask-xor', sreg: REGISTER, dreg: REGISTER, length: 4, mask, xor: none },
    { kind: 'cmp', sreg: REGISTER, op: 'neq', data: none },
  ];
}
