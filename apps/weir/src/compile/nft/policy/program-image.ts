import type { MatchList, MatchProgram, MatchTable } from '../../../model/match-program.ts';
import { slotMaskSymbol } from '../../../model/set-layout.ts';
import type { CompiledMatch } from '../../ebpf/index.ts';
import { contentName } from '../content-name.ts';

/** A compiled expression as plain data, named by what is in it. */
export function programImage({ program, maps }: CompiledMatch): Extract<MatchProgram, { kind: 'code' }> {
  const { words, references, symbols } = program;
  const slotsOf = (name: string): number[] => [...references.slots].filter((_, i) => symbols[references.symbols[i] ?? -1]?.name === name);
  const tables = maps.flatMap((need): MatchTable[] =>
    need.kind === 'table' ? [{ symbol: need.symbol, shape: need.shape, slots: slotsOf(need.symbol), contents: base64(need.contents) }] : [],
  );
  const lists = maps.flatMap((need): MatchList[] => {
    if (need.kind !== 'list') return [];
    const { symbol, list, family, members } = need;
    const masks = slotsOf(slotMaskSymbol(symbol));
    return [{ symbol, list, family, slots: slotsOf(symbol), masks, ...(members && { members: base64(members) }) }];
  });
  const instructions = base64(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  // What a constant list has is in what it is called.
  const asked = lists.map(({ members: _, ...list }) => list);
  const name = contentName(instructions, JSON.stringify(tables), ...(asked.length === 0 ? [] : [JSON.stringify(asked)]));
  return { kind: 'code', name, instructions, tables, ...(lists.length === 0 ? {} : { lists }) };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
