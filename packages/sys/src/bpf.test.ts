import { describe, expect, it } from 'vitest';
import { addressOf, bpf } from './bpf.ts';
import { SystemError } from './libc.ts';

describe('bpf', () => {
  it('says which call the kernel refused, and for what', () => {
    const call = (): number => bpf(9999, new Uint8Array(16), 'an unknown command');
    expect(call).toThrow(SystemError);
    expect(call).toThrow(/^bpf: (EINVAL|EPERM) \(an unknown command\)$/);
  });
});

describe('addressOf', () => {
  it('follows views of one buffer, and stays', () => {
    const bytes = new Uint8Array(64);
    const at = addressOf(bytes);
    expect(addressOf(bytes.subarray(5))).toBe(at + 5n);
    expect(addressOf(bytes)).toBe(at);
    expect(addressOf(new Uint8Array(0))).toBe(0n);
  });
});
