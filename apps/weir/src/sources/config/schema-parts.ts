import { integer, name } from '../yaml/leaves.ts';
import { defaulted, type Shape, type Table, table } from '../yaml/shape.ts';
import type { RawChurn } from './raw.ts';

/** The name of a peer. */
export const peerName = (): Shape<string> => name('a peer name', /^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'letters, digits, _ . and -', 64);

/** How fast one peer may change something: `what` begins the description of each key. */
export function churnShape(most: number, { rate, burst }: RawChurn, what: string): Shape<Table<RawChurn>> {
  return table<RawChurn>('churn', {
    rate: defaulted(integer('rate', 1, most), rate, String(rate), `${what} a second that one peer may cause.`),
    burst: defaulted(integer('burst', 1, most), burst, String(burst), `${what} that may come at once.`),
  });
}
