import type { MatchProgram, MatchTable } from '../../../model/match-program.ts';
import type { CompiledMatch } from '../../ebpf/index.ts';
import { contentName } from '../content-name.ts';

/** A compiled expression as plain data, named by what is in it. */
export function programImage({ program, maps }: CompiledMatch): Extract<MatchProgram, { kind: 'code' }> {
  const { words, references, symbols } = program;
  const tables = maps.flatMap((need): MatchTable[] => {
    if (need.kind !== 'table') return [];
    const slots = [...references.slots].filter((_, i) => symbols[references.symbols[i] ?? -1]?.name === need.symbol);
    return [{ symbol: need.symbol, shape: need.shape, slots, contents: base64(need.contents) }];
  });
  const instructions = base64(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  return { kind: 'code', name: contentName(instructions, JSON.stringify(tables)), instructions, tables };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
