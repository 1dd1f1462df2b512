const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of octets; undefined where they are not UTF-8. */
export function decodeUtf8(octets: Uint8Array): string | undefined {
  try {
    return decoder.decode(octets);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
