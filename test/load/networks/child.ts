// Tables of networks in a process that is to be killed: says what there is, and then each change before it is asked for and when it is acknowledged. Arguments: directory, seed.
import { writeSync } from 'node:fs';
import { type Prefix, prefix, printPrefix } from '@weir/wire/inet';
import { Networks } from '../../../apps/weir/src/daemon/networks/index.ts';
import type { Config } from '../../../apps/weir/src/model/config.ts';
import type { Line, Operation } from './model.ts';

const UNIVERSE = 512;
const [directory = '', seed = '1'] = process.argv.slice(2);

let state = Number(seed) >>> 0;
/** A number below `below` (xorshift). */
function random(below: number): number {
  state ^= state << 13;
  state >>>= 0;
  state ^= state >>> 17;
  state ^= state << 5;
  state >>>= 0;
  return state % below;
}

function say(line: Line): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

const span = { file: '', line: 1, column: 1, length: 0 };
const names = ['x0', 'y0', 'x1', 'y1'];
const config = {
  protected: [],
  distribute: {
    tables: names.map((name, i) => ({
      name,
      communities: [{ kind: 'standard', value: 65_000 * 65_536 + i }],
      maxPrefixes: 1_000_000,
      allowProtected: true,
      aggregate: i === 0,
      span,
    })),
    clients: [],
    peers: [],
    nextHop: { 4: undefined, 6: undefined },
    span,
  },
};
// No more of a configuration is looked at.
const networks = new Networks({
  stateDirectory: directory,
  config: () => config as unknown as Config,
  compactAfter: 16_384,
  onError: (error) => say({ kind: 'error', message: error.message }),
});
const { operator, tables, history } = networks;
say({
  kind: 'state',
  last: history.last,
  members: [...tables.all()].map((one) => [printPrefix(one.prefix), one.memberships.map(({ table }) => table).join('+')]),
});

/** Some prefixes of a writer's own. */
function some(writer: number, count: number): readonly string[] {
  return [...new Set(Array.from({ length: count }, () => `10.${writer}.${random(UNIVERSE) >> 8}.${random(256)}/32`))];
}

function choose(writer: number): Operation {
  const [x, y] = [`x${writer}`, `y${writer}`];
  const there: Prefix[] = [];
  for (const { prefix: one } of tables.all()) if (((one.w0 >>> 16) & 255) === writer) there.push(one);
  const kind = random(20);
  if (kind < 9) return { kind: 'add', prefixes: some(writer, 1 + random(4)), tables: random(3) === 0 ? [x, y] : [random(2) === 0 ? x : y] };
  if (kind < 15 && there.length > 0)
    return { kind: 'delete', prefixes: [printPrefix(there[random(there.length)] ?? prefix('10.0.0.0/32'))] };
  if (kind < 18) return { kind: 'replace', prefixes: some(writer, 1 + random(4)), tables: [random(2) === 0 ? x : y] };
  return { kind: 'load', prefixes: some(writer, 300), tables: [x], replace: random(2) === 0 };
}

async function perform(one: Operation): Promise<void> {
  const by = 'uid 0';
  if (one.kind === 'delete') await operator.delete({ prefixes: one.prefixes }, by);
  else if (one.kind !== 'load') await operator[one.kind]({ prefixes: one.prefixes, tables: one.tables }, by);
  else {
    const load = operator.load({ table: one.tables[0] ?? '', replace: one.replace });
    operator.loads.page(load, one.prefixes.map(prefix));
    await operator.commit({ load }, by);
  }
}

async function write(writer: number): Promise<void> {
  for (let id = 0; ; id++) {
    const operation = choose(writer);
    say({ kind: 'begin', writer, id, operation });
    await perform(operation);
    say({ kind: 'done', writer, id });
  }
}

await Promise.all([write(0), write(1)]);
