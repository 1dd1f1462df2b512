import { defineSet, type Expression, type NftSet, type NftTransaction, type SetElement } from '@weir/netlink/nftables';
import type { AnonymousSetSpec, Operation, TableAddress } from '../backend.ts';
import { elementColumns } from './element-shapes.ts';
import { RuleMark } from './rule-mark.ts';

const ANONYMOUS_TYPES = {
  service: { key: 'inet_service', width: 2 },
  'icmp-type': { key: 'icmp_type', width: 1 },
  'icmpv6-type': { key: 'icmpv6_type', width: 1 },
} as const;

/** Adds one step to the transaction; its messages carry `index`, so that a refusal leads back to it. */
export function encodeOperation(t: NftTransaction<number>, operation: Operation, index: number): void {
  const { address } = operation;
  const { family, table } = address;
  switch (operation.kind) {
    case 'put-table':
      t.addTable(
        { family, name: table, comment: operation.comment, ...(operation.owned ? { flags: { owner: true, persist: true } } : {}) },
        { tag: index },
      );
      return;
    case 'delete-table':
      t.deleteTable({ family, name: table }, { tag: index });
      return;
    case 'add-set': {
      const { name, interval, size, comment } = operation.set;
      const key = operation.set.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
      t.addSet(defineSet({ family, table, name, key, interval, comment, ...(size === undefined ? {} : { size }) }), { tag: index });
      return;
    }
    case 'delete-set':
      t.deleteSet({ family, table, name: operation.address.set }, { tag: index });
      return;
    case 'add-chain': {
      const base = operation.hook && ({ type: 'filter', hook: operation.hook, priority: 0, policy: 'accept' } as const);
      t.addChain({ family, table, name: operation.name, ...(base ? { base } : {}) }, { tag: index });
      return;
    }
    case 'delete-chain': {
      const chain = { family, table, name: operation.name };
      t.flushChain(chain, { tag: index }).deleteChain(chain, { tag: index });
      return;
    }
    case 'add-rule':
      addRule(t, operation, index);
      return;
    case 'delete-rule':
      t.deleteRule({ family, table, chain: operation.chain, handle: operation.handle }, { tag: index });
      return;
    case 'add-elements':
    case 'delete-elements': {
      const set = { family, table, name: operation.address.set };
      const columns = elementColumns(operation.elements, operation.interval);
      if (operation.kind === 'add-elements') t.addElementColumns(set, columns, { tag: index, exclusive: true });
      else t.deleteElementColumns(set, columns, { tag: index });
      return;
    }
  }
}

function addRule(t: NftTransaction<number>, operation: Extract<Operation, { kind: 'add-rule' }>, index: number): void {
  const { address, rule } = operation;
  const ids = rule.sets.map((_, i) => t.count + 1 + i * 2);
  rule.sets.forEach((set, i) => {
    addAnonymousSet(t, address, set, ids[i] ?? 0, index);
  });
  t.addRule(
    {
      family: address.family,
      table: address.table,
      chain: operation.chain,
      expressions: rule.expressions.map((e) => resolveSet(e, ids)),
      userdata: RuleMark.write(rule.name, rule.fingerprint),
      ...(operation.before === undefined ? {} : { position: operation.before }),
    },
    { tag: index, insert: operation.before !== undefined },
  );
}

/** A lookup says which of the rule's own sets it means; the transaction knows them by number. */
function resolveSet(expression: Expression, ids: readonly number[]): Expression {
  if (expression.kind !== 'lookup' || expression.setId === undefined) return expression;
  const setId = ids[expression.setId];
  return setId === undefined ? expression : { ...expression, setId };
}

function addAnonymousSet(t: NftTransaction<number>, address: TableAddress, spec: AnonymousSetSpec, id: number, tag: number): void {
  const { key, width } = ANONYMOUS_TYPES[spec.type];
  const ranges = spec.values.some((v) => v.from !== v.to);
  const defined = defineSet({ family: address.family, table: address.table, name: '__set%d', key, interval: ranges, constant: true, id });
  const set: NftSet = { ...defined, flags: { ...defined.flags, anonymous: true } };
  t.addSet(set, { tag });
  t.addElements({ family: set.family, table: set.table, name: set.name, id }, ranges ? rangeElements(spec, width) : singles(spec, width), {
    tag,
  });
}

function singles(spec: AnonymousSetSpec, width: number): SetElement[] {
  return spec.values.map(({ from }) => ({ key: bigEndian(from, width) }));
}

/** nft begins an interval set with the end of what is before its first range, and closes each range with the key after it. */
function rangeElements(spec: AnonymousSetSpec, width: number): SetElement[] {
  const top = 2 ** (8 * width) - 1;
  const out: SetElement[] = [];
  if ((spec.values[0]?.from ?? 0) > 0) out.push({ key: bigEndian(0, width), intervalEnd: true });
  for (const { from, to } of spec.values) {
    out.push({ key: bigEndian(from, width) });
    if (to < top) out.push({ key: bigEndian(to + 1, width), intervalEnd: true });
  }
  return out;
}

function bigEndian(value: number, width: number): Uint8Array {
  return width === 1 ? new Uint8Array([value]) : new Uint8Array([value >>> 8, value & 255]);
}
