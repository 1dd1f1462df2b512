// Tables of networks in a process that is to be killed: waits for an octet, says what there is, and then each change before it is asked for and when it is acknowledged. Arguments:
// directory, seed.
import { readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Prefix, prefix, printPrefix } from '@weir/wire/inet';
import { Networks } from '../../../apps/weir/src/daemon/networks/networks.ts';
import type { Config } from '../../../apps/weir/src/model/config.ts';
import { type Line, type Operation, SETS, WRITERS } from './model.ts';

const UNIVERSE = 128;
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
const names = Array.from({ length: WRITERS }, (_, writer) => [`x${writer}`, `y${writer}`]).flat();
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
// Nobody waits for it any more.
if (readSync(0, new Uint8Array(1)) === 0) process.exit();
const sets = Array.from({ length: SETS }, (_, set) => {
  return new Networks({
    stateDirectory: join(directory, String(set)),
    // No more of a configuration is looked at.
    config: () => config as unknown as Config,
    compactAfter: 8192,
    onError: (error) => say({ kind: 'error', message: error.message }),
  });
});
say({
  kind: 'state',
  last: sets.map(({ history }) => history.last),
  members: sets.flatMap(({ tables }) =>
    [...tables.all()].map((one): [string, string] => [printPrefix(one.prefix), one.memberships.map(({ table }) => table).join('+')]),
  ),
});

/** Some prefixes of a writer's own. */
function some(writer: number, count: number): readonly string[] {
  return [...new Set(Array.from({ length: count }, () => `10.${writer}.0.${random(UNIVERSE)}/32`))];
}

function choose(writer: number, { tables }: Networks): Operation {
  const [x, y] = [`x${writer}`, `y${writer}`];
  const there: Prefix[] = [];
  for (const { prefix: one } of tables.all()) if (((one.w0 >>> 16) & 255) === writer) there.push(one);
  const kind = random(20);
  if (kind < 9) return { kind: 'add', prefixes: some(writer, 1 + random(4)), tables: random(3) === 0 ? [x, y] : [random(2) === 0 ? x : y] };
  if (kind < 15 && there.length > 0)
    return { kind: 'delete', prefixes: [printPrefix(there[random(there.length)] ?? prefix('10.0.0.0/32'))] };
  if (kind < 18) return { kind: 'replace', prefixes: some(writer, 1 + random(4)), tables: [random(2) === 0 ? x : y] };
  return { kind: 'load', prefixes: some(writer, 64), tables: [x], replace: random(2) === 0 };
}

async function perform(one: Operation, { operator }: Networks): Promise<void> {
  const by = 'uid 0';
  if (one.kind === 'delete') await operator.delete({ prefixes: one.prefixes }, by);
  else if (one.kind !== 'load') await operator[one.kind]({ prefixes: one.prefixes, tables: one.tables }, by);
  else {
    const load = operator.load({ table: one.tables[0] ?? '', replace: one.replace });
    operator.loads.page(load, one.prefixes.map(prefix));
    await operator.commit({ load }, by);
  }
}

async function write(writer: number, networks: Networks): Promise<void> {
  for (let id = 0; ; id++) {
    const operation = choose(writer, networks);
    say({ kind: 'begin', writer, id, operation });
    await perform(operation, networks);
    say({ kind: 'done', writer, id });
  }
}

await Promise.all(sets.flatMap((networks, set) => [0, 1].map((one) => write(2 * set + one, networks))));
