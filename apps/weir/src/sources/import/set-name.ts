const MAX_NAME = 64;

/** A name of a set as the filter language takes it (a-z, 0-9, _ and . inside), from whatever it was. Undefined when nothing is left. */
export function setName(original: string): string | undefined {
  const name = original
    .toLowerCase()
    .replace(/[^a-z0-9_.]+/g, '_')
    .replace(/\.{2,}/g, '.')
    .replace(/^[._]+|[._]+$/g, '')
    .slice(0, MAX_NAME)
    .replace(/[._]+$/g, '');
  return name === '' ? undefined : name;
}
