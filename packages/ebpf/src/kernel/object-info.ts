import { addressOf } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';

/**
 * What BPF_OBJ_GET_INFO_BY_FD writes about a descriptor, `length` bytes of it at most. `prepare` may point at arrays to be filled: `at` gives the address of one and keeps
 * it for the call. SystemError.
 */
export function objectInfo(
  fd: number,
  length: number,
  prepare?: (info: DataView, at: (bytes: Uint8Array) => bigint) => void,
): DataView<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const attribute = new Attribute().u32(0, fd).u32(4, length).pointer(8, bytes);
  prepare?.(view, (array) => {
    attribute.keep(array);
    return addressOf(array);
  });
  attribute.call(COMMAND.info);
  return view;
}

/** A name that ends with a zero, or with its `length` bytes. */
export function readName(view: DataView, at: number, length = 16): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end < 0 ? length : end));
}
