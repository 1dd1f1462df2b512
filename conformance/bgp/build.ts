import { parseHex, Writer } from '@weir/wire/bytes';

/** An UPDATE around the hex of its three fields; a field's length is that of its bytes. */
export function updateBytes(fields: { readonly withdrawn?: string; readonly attributes?: string; readonly nlri?: string }): Uint8Array {
  const withdrawn = parseHex(fields.withdrawn ?? '');
  const attributes = parseHex(fields.attributes ?? '');
  const nlri = parseHex(fields.nlri ?? '');
  return messageBytes(2, new Writer().u16(withdrawn.length).bytes(withdrawn).u16(attributes.length).bytes(attributes).bytes(nlri).finish());
}

/** A message of any type around a body. */
export function messageBytes(type: number, body: Uint8Array): Uint8Array {
  const w = new Writer();
  for (let i = 0; i < 16; i++) w.u8(255);
  return w
    .u16(19 + body.length)
    .u8(type)
    .bytes(body)
    .finish();
}
