/** Goes up when the same image is written to the kernel in another way: everything is written anew then. */
const FORM = '2';

const PRIME_A = 0x01000193;
const PRIME_B = 0x85ebca6b;

/** 64 bits of a text as 16 hexadecimal digits. Two texts that differ and share it would have to be in the same place to matter. */
export function digest(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, PRIME_A);
    b = Math.imul(b ^ c, PRIME_B);
    b ^= b >>> 13;
  }
  return hex(mix(a ^ (b >>> 7))) + hex(mix(b ^ a));
}

/** Differs when what is written for the value differs. The value is plain data. */
export function fingerprint(value: unknown): string {
  return digest(FORM + JSON.stringify(value));
}

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), PRIME_B);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const HEX: readonly string[] = Array.from({ length: 65_536 }, (_, i) => i.toString(16).padStart(4, '0'));

function hex(value: number): string {
  return `${HEX[value >>> 16]}${HEX[value & 0xffff]}`;
}
