import { SET_LAYOUT } from '../../../model/set-layout.ts';

const { lengthShift, tag, valueShift } = SET_LAYOUT;

/** What an IPv4 entry with one member below it, of 17 bits or more, says of that member. */
export function lonely4(w0: number, length: number): number {
  return tag | ((w0 & 0xffff) << valueShift) | ((32 - length) << lengthShift);
}

/** The last 16 bits of its address. */
export function lonelyWord(entry: number): number {
  return (entry >>> valueShift) & 0xffff;
}

export function lonelyLength(entry: number): number {
  return 32 - ((entry >>> lengthShift) & 15);
}
