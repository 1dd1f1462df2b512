// The control socket's side of a client: whatever the bytes and however they are cut, each line is a request or a refusal with a stable code.
import { LineSplitter, parseRequest, parseResponse } from '../apps/weir/src/api/index.ts';
import type { FuzzTarget } from './fuzz.ts';

const CORPUS = [
  '{"id":1,"method":"status"}\n{"id":2,"method":"routes","params":{"peer":"core","family":"ipv4","prefix":"203.0.113.0/24","longer":true,"limit":5,"cursor":"192.0.2.0/24"}}\n',
  '{"id":3,"method":"watch","params":{"kinds":["member","refused"],"set":"web","peer":"core"}}\n{"id":4,"method":"cancel","params":{"request":3}}\n',
  '{"id":5,"ok":true,"result":{"format_version":1},"more":true}\n{"id":null,"ok":false,"error":{"code":"busy","message":"m","details":["d"]}}\n',
];

const CODES: ReadonlySet<string> = new Set(['bad-request', 'unknown-method']);

export const target: FuzzTarget = {
  name: 'control',
  corpus: () => CORPUS.map((text) => Buffer.from(text)),
  run(input) {
    const whole = split(input, input.length + 1);
    const cut = split(input, 1 + ((input[0] ?? 0) % 7));
    if (JSON.stringify(whole) !== JSON.stringify(cut)) throw new Error('lines depend on how the bytes are cut');
    for (const line of whole) {
      const parsed = parseRequest(line);
      if (!parsed.ok && !CODES.has(parsed.error.code)) throw new Error(`code ${parsed.error.code}`);
      if (parsed.ok && !Number.isSafeInteger(parsed.request.id)) throw new Error('no id');
      parseResponse(line);
    }
  },
};

function split(input: Uint8Array, size: number): readonly string[] {
  const splitter = new LineSplitter(1 << 20);
  const out: string[] = [];
  for (let at = 0; at < input.length; at += size) out.push(...(splitter.push(input.subarray(at, at + size)) ?? []));
  return out;
}
