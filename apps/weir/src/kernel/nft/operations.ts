import {
  type BpfMatch,
  bpfMatch,
  defineSet,
  type Expression,
  encodeSetDescription,
  type NftSet,
  type NftTransaction,
  readBpfMatch,
  type SetElement,
} from '@weir/netlink/nftables';
import type { AnonymousSetSpec, Operation, TableAddress } from '../backend.ts';
import { elementColumns } from './element-shapes.ts';
import { entryElements, rangeElements } from './range-elements.ts';
import { RuleMark } from './rule-mark.ts';

/** The programs of a rule, by the names that it asks them by. */
export type ProgramPlaces = ReadonlyMap<string, BpfMatch>;

/** Adds one step to the transaction; its messages carry `index`, so that a refusal leads back to it. */
export function encodeOperation(t: NftTransaction<number>, operation: Operation, index: number, places: ProgramPlaces): void {
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
    case 'add-map': {
      const { name, keys, ranges } = operation.map;
      t.addSet(defineSet({ family, table, name, key: keys, value: 'verdict', interval: ranges }), { tag: index });
      return;
    }
    case 'add-meter': {
      const { name, size, timeout } = operation.meter;
      const key = operation.meter.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
      t.addSet(defineSet({ family, table, name, key, dynamic: true, size, timeout: BigInt(timeout) }), { tag: index });
      return;
    }
    case 'add-entries':
      t.addElements({ family, table, name: operation.address.set }, entryElements(operation.entries, operation.layout, true), {
        tag: index,
        exclusive: true,
      });
      return;
    case 'delete-entries':
      t.deleteElements({ family, table, name: operation.address.set }, entryElements(operation.entries, operation.layout, false), {
        tag: index,
      });
      return;
    case 'delete-set':
      t.deleteSet({ family, table, name: operation.address.set }, { tag: index });
      return;
    case 'add-chain': {
      const base =
        operation.hook && ({ type: 'filter', hook: operation.hook, priority: operation.priority ?? 0, policy: 'accept' } as const);
      t.addChain({ family, table, name: operation.name, ...(base ? { base } : {}) }, { tag: index });
      return;
    }
    case 'flush-chain':
      t.flushChain({ family, table, name: operation.name }, { tag: index });
      return;
    case 'delete-chain': {
      const chain = { family, table, name: operation.name };
      t.flushChain(chain, { tag: index }).deleteChain(chain, { tag: index });
      return;
    }
    case 'add-rule':
      addRule(t, operation, index, places);
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

function addRule(
  t: NftTransaction<number>,
  operation: Extract<Operation, { kind: 'add-rule' }>,
  index: number,
  places: ProgramPlaces,
): void {
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
      expressions: rule.expressions.map((e) => (e.kind === 'match' ? resolveProgram(e, places) : resolveSet(e, ids))),
      userdata: RuleMark.write(rule.name, rule.fingerprint),
      ...(operation.before === undefined ? {} : { position: operation.before }),
    },
    { tag: index, insert: operation.before !== undefined },
  );
}

/** A match says which program it means by its name. */
function resolveProgram(expression: Expression, places: ProgramPlaces): Expression {
  const program = readBpfMatch(expression);
  const place = program?.kind === 'pinned' ? places.get(program.path) : undefined;
  return place ? bpfMatch(place) : expression;
}

/** A lookup says which of the rule's own sets it means; the transaction knows them by number. */
function resolveSet(expression: Expression, ids: readonly number[]): Expression {
  if (expression.kind !== 'lookup' || expression.setId === undefined) return expression;
  const setId = ids[expression.setId];
  return setId === undefined ? expression : { ...expression, setId };
}

function addAnonymousSet(t: NftTransaction<number>, address: TableAddress, spec: AnonymousSetSpec, id: number, tag: number): void {
  const { keyType, keyLength, order, interval, ranges } = spec;
  const { family, table } = address;
  const flags = { anonymous: true, constant: true, ...(interval ? { interval: true } : {}) };
  const userdata = encodeSetDescription({ keyByteOrder: order });
  const set: NftSet = { family, table, name: '__set%d', flags, keyType, keyLength, id, userdata };
  t.addSet(set, { tag });
  const elements: readonly SetElement[] = interval ? rangeElements(ranges) : ranges.map(({ first }) => ({ key: first }));
  t.addElements({ family, table, name: set.name, id }, elements, { tag });
}
