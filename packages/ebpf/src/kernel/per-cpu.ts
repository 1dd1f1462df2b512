/** The values of the CPUs in what a per-CPU map holds under one key. `valueSize` is the map's, in bytes; views, not copies. */
export function splitCpus(value: Uint8Array, valueSize: number): readonly Uint8Array[] {
  const stride = Math.ceil(valueSize / 8) * 8;
  return Array.from({ length: Math.floor(value.length / stride) }, (_, cpu) => value.subarray(cpu * stride, cpu * stride + valueSize));
}

/** Counters of 64 bits, added up over the CPUs: word `i` of the result is the sum of the words `i`. `valueSize` is a multiple of 8. RangeError when it is not. */
export function sumCpus(value: Uint8Array, valueSize: number): BigUint64Array<ArrayBuffer> {
  if (valueSize <= 0 || valueSize % 8 !== 0 || value.length % valueSize !== 0)
    throw new RangeError(`not counters of 64 bits: ${valueSize} of ${value.length} bytes`);
  const sums = new BigUint64Array(valueSize / 8);
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  for (let at = 0; at < value.length; at += 8) {
    const word = (at % valueSize) / 8;
    sums[word] = (sums[word] ?? 0n) + view.getBigUint64(at, true);
  }
  return sums;
}
