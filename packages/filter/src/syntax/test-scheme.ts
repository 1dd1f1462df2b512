import { parseScheme, type Scheme } from '../scheme/index.ts';

/** Fields of each type, for tests. */
export const RECORDS: Scheme = records();

function records(): Scheme {
  const result = parseScheme({
    ssl: 'Bool',
    port: 'Int',
    host: 'Bytes',
    addr: 'Ip',
    cookies: 'Array(Bytes)',
    labels: 'Map(Bytes)',
    flags: 'Array(Bool)',
  });
  if ('problems' in result) throw new Error(result.problems.join());
  return result.scheme;
}
