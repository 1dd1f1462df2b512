import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SystemError } from './libc.ts';
import { MappedMemory, pageSize } from './mapped-memory.ts';

describe('MappedMemory', () => {
  it('shows what is written on the other side, and the other way round', () => {
    const directory = mkdtempSync(join(tmpdir(), 'weir-map-'));
    const path = join(directory, 'file');
    const page = pageSize();
    writeFileSync(path, new Uint8Array(page * 2).fill(1));
    const fd = openSync(path, 'r+');
    const whole = MappedMemory.map(fd, page * 2);
    const second = MappedMemory.map(fd, page, { offset: page, write: true });
    closeSync(fd);
    second.bytes[3] = 7;
    expect([whole.bytes.length, whole.bytes[page + 2], whole.bytes[page + 3]]).toEqual([page * 2, 1, 7]);
    expect(readFileSync(path)[page + 3]).toBe(7);
    whole.close();
    whole.close();
    second.close();
    rmSync(directory, { recursive: true });
  });

  it('says why it could not', () => {
    expect(() => MappedMemory.map(-1, pageSize())).toThrow(SystemError);
    expect(() => MappedMemory.map(-1, pageSize())).toThrow(`mmap: EBADF (${pageSize()} bytes at 0)`);
  });
});
