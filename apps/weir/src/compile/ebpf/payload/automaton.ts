/**
 * A deterministic automaton over octets, which says of a whole value whether it passes. Rows are numbered from 0, where it begins; REJECTED and ACCEPTED stand for rows that nothing leads
 * out of, so that a walk can end there.
 */
export interface Automaton {
  readonly start: number;
  /** By octet: its class. */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** By row times classes plus class. */
  readonly next: Int32Array;
  /** By row: 1 where a value that ends there passes. */
  readonly accepts: Uint8Array;
}

export const REJECTED = -1;
export const ACCEPTED = -2;

/** Rows of one automaton. */
export const MAX_ROWS = 4096;

/** An automaton in the making: rows that may be absorbing or the same. `next` has numbers of rows only. */
export interface RawAutomaton {
  readonly classOf: Uint8Array;
  readonly classes: number;
  readonly next: Int32Array;
  readonly accepts: Uint8Array;
}

/** The same with absorbing rows named, and with classes that nothing tells apart made one. Row 0 of `raw` is the first. */
export function settle(raw: RawAutomaton): Automaton {
  const { next: to, accepts: ends, classes } = raw;
  const mayPass = reaching(raw, 1);
  const mayFail = reaching(raw, 0);
  const order: number[] = [];
  const names = new Map<number, number>();
  const rowOf = (row: number): number => {
    if (mayPass[row] === 0) return REJECTED;
    if (mayFail[row] === 0) return ACCEPTED;
    const known = names.get(row);
    if (known !== undefined) return known;
    names.set(row, order.length);
    return order.push(row) - 1;
  };
  const start = rowOf(0);
  const next: number[] = [];
  for (let i = 0; i < order.length; i++) {
    const row = order[i] ?? 0;
    for (let c = 0; c < classes; c++) next.push(rowOf(to[row * classes + c] ?? 0));
  }
  return mergeClasses({
    start,
    classOf: raw.classOf,
    classes,
    next: Int32Array.from(next),
    accepts: Uint8Array.from(order, (row) => ends[row] ?? 0),
  });
}

/** By row: 1 where some octets lead to a row that accepts, or to one that does not. */
function reaching({ next, accepts: ends, classes }: RawAutomaton, wanted: number): Uint8Array {
  const from: number[][] = Array.from({ length: ends.length }, () => []);
  for (let row = 0; row < ends.length; row++)
    for (const to of new Set(next.subarray(row * classes, (row + 1) * classes))) from[to]?.push(row);
  const found = ends.map((end) => (end === wanted ? 1 : 0));
  const stack: number[] = [];
  found.forEach((flag, row) => {
    if (flag === 1) stack.push(row);
  });
  for (let row = stack.pop(); row !== undefined; row = stack.pop()) {
    for (const before of from[row] ?? []) {
      if (found[before] === 1) continue;
      found[before] = 1;
      stack.push(before);
    }
  }
  return found;
}

function mergeClasses({ start, classOf, classes, next, accepts }: Automaton): Automaton {
  const names = new Map<string, number>();
  const columns: number[] = [];
  const renamed = Uint8Array.from({ length: classes }, (_, c) => {
    let key = '';
    for (let row = 0; row < accepts.length; row++) key += `${next[row * classes + c]},`;
    const known = names.get(key);
    if (known !== undefined) return known;
    names.set(key, columns.length);
    return columns.push(c) - 1;
  });
  const merged = new Int32Array(accepts.length * columns.length);
  for (let row = 0; row < accepts.length; row++)
    for (const [name, c] of columns.entries()) merged[row * columns.length + name] = next[row * classes + c] ?? REJECTED;
  return { start, classOf: classOf.map((c) => renamed[c] ?? 0), classes: columns.length, next: merged, accepts };
}

/** Of octets that have been made other octets first: `map` says by octet which. */
export function mapped(automaton: Automaton, map: Uint8Array): Automaton {
  return { ...automaton, classOf: map.map((octet) => automaton.classOf[octet] ?? 0) };
}

/** What an automaton says of octets: for tests and for what is known when rules are compiled. */
export function accepts({ start, classOf, classes, next, accepts: ends }: Automaton, octets: Uint8Array): boolean {
  let row = start;
  for (const octet of octets) {
    if (row < 0) break;
    row = next[row * classes + (classOf[octet] ?? 0)] ?? REJECTED;
  }
  return row < 0 ? row === ACCEPTED : ends[row] === 1;
}

/** The least length of a value that passes; undefined where none does. */
export function leastLength({ start, classes, next, accepts: ends }: Automaton): number | undefined {
  const depth = new Map([[start, 0]]);
  for (const [row, at] of depth) {
    if (row === ACCEPTED || (row >= 0 && ends[row] === 1)) return at;
    for (let c = 0; row >= 0 && c < classes; c++) {
      const to = next[row * classes + c] ?? REJECTED;
      if (!depth.has(to)) depth.set(to, at + 1);
    }
  }
  return undefined;
}

/** Of values that end with a zero that is not part of them: what comes behind it does not matter. */
export function terminated({ start, classOf, classes, next, accepts: ends }: Automaton): Automaton {
  const width = classes + 1;
  const rows = new Int32Array(width * ends.length);
  for (let row = 0; row < ends.length; row++) {
    rows.set(next.subarray(row * classes, (row + 1) * classes), row * width);
    rows[row * width + classes] = ends[row] === 1 ? ACCEPTED : REJECTED;
  }
  return {
    start,
    classOf: classOf.map((name, octet) => (octet === 0 ? classes : name)),
    classes: width,
    next: rows,
    accepts: ends.map(() => 0),
  };
}
