import { tmpdir } from 'node:os';
import { Weir } from '../../test/e2e/weir.ts';
import { Lab } from '../../test/lab/index.ts';

/** The community of the one table. */
export const TABLE = '65000:1';
/** Kept on disk where /tmp may be memory. */
const DISK = '/var/tmp';

/** A lab whose directories, so the state of daemons too, are on the machine's disk; it is gone when `measure` has ended. */
export async function onDisk<T>(measure: (lab: Lab) => Promise<T>): Promise<T> {
  const before = process.env['TMPDIR'];
  if (tmpdir() === '/tmp') process.env['TMPDIR'] = DISK;
  const lab = new Lab();
  try {
    return await measure(lab);
  } catch (error) {
    process.stderr.write(`${lab.report()}\n`);
    throw error;
  } finally {
    await lab.dispose();
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

/** The shipped daemon with a table `added` and nobody who gets it. */
export async function tableServer(lab: Lab): Promise<Weir> {
  const host = await lab.host('server');
  const weir = new Weir(
    lab,
    host,
    `bgp: { as: 64512, router_id: 192.0.2.1, listen: [127.0.0.1], peers: [] }
distribute:
  tables: { added: { communities: ["${TABLE}"], max_prefixes: 10000000 } }
  clients: [{ name: hosts, from: 127.1.0.0/16, as: 64513, multihop: 8 }]
  next_hop: [192.0.2.1]
`,
  );
  await weir.start();
  return weir;
}
