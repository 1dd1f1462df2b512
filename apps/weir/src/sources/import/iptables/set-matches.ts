import { prefix } from '@weir/wire/inet';
import type { Side } from '../condition.ts';
import { prefixRange } from '../ranges.ts';
import { note } from '../report.ts';
import { setName } from '../set-name.ts';
import type { OptionReader } from './rule-draft.ts';
import { LineError } from './tokens.ts';
import { UntranslatableError } from './values.ts';

const MULTICAST = { 4: prefixRange(prefix('224.0.0.0/4')), 6: prefixRange(prefix('ff00::/8')) } as const;
const BROADCAST = prefixRange(prefix('255.255.255.255/32'));

/** Address types are the routing table's; only what the address itself says is translated. */
export function readAddressType(side: Side): OptionReader {
  return (draft, words, option, negated) => {
    const type = words.value(option).text.toUpperCase();
    const multicast = MULTICAST[draft.family];
    const addresses = (sets: readonly (typeof BROADCAST)[], not: boolean): void => {
      for (const set of sets) draft.conditions.push({ kind: 'address', side, set, negated: not });
    };
    switch (type) {
      case 'MULTICAST':
        return addresses([multicast], negated);
      case 'BROADCAST':
        if (draft.family === 6) throw new UntranslatableError('IPv6 has no broadcast addresses');
        note(
          draft.entry,
          'only 255.255.255.255 is taken for a broadcast address: those of subnets are known to the host alone',
          'approximated',
        );
        return addresses([BROADCAST], negated);
      case 'LOCAL':
        if (side === 'destination' && draft.hook === 'input' && !negated) {
          note(draft.entry, 'at hook input what is neither multicast nor 255.255.255.255 is taken for local', 'approximated');
          return addresses(draft.family === 4 ? [multicast, BROADCAST] : [multicast], true);
        }
        throw new UntranslatableError("the host's own addresses are not known to a policy");
      case 'UNSPEC':
      case 'UNICAST':
      case 'ANYCAST':
      case 'BLACKHOLE':
      case 'UNREACHABLE':
      case 'PROHIBIT':
      case 'THROW':
      case 'NAT':
      case 'XRESOLVE':
        throw new UntranslatableError(`address type ${type} is the routing table's, which a policy does not look at`);
      default:
        if (type.includes(',')) throw new UntranslatableError('several address types at once are not translated');
        throw new LineError(option.column, `not an address type: "${type}"`);
    }
  };
}

/** `--match-set NAME src`: a named set. */
export const readSet: OptionReader = (draft, words, option, negated) => {
  const name = words.value(option);
  const keys = words.value(option).text.split(',');
  if (keys.length !== 1)
    throw new UntranslatableError(`set ${name.text} is asked for ${keys.join(' and ')} at once; a named set has addresses alone`);
  if (keys[0] !== 'src' && keys[0] !== 'dst') throw new LineError(option.column, `src or dst is needed, not "${keys[0]}"`);
  const set = setName(name.text);
  if (set === undefined) throw new UntranslatableError(`the name of set ${name.text} has no letters that a set of a policy may have`);
  draft.sets.push({ name: set, original: name.text });
  draft.conditions.push({ kind: 'member', side: keys[0] === 'src' ? 'source' : 'destination', set, negated });
};
