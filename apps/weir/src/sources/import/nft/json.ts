/** A value of JSON, not yet looked at. */
export type Json = unknown;

export type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of an object's own key; undefined where it is no object or has no such key. */
export function get(value: Json, key: string): Json {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

export function getString(value: Json, key: string): string | undefined {
  const found = get(value, key);
  return typeof found === 'string' ? found : undefined;
}

export function getNumber(value: Json, key: string): number | undefined {
  const found = get(value, key);
  return typeof found === 'number' && Number.isFinite(found) ? found : undefined;
}

/** The members of a list; one value alone is a list of it. */
export function listOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? value : [value];
}

/** `{ "name": value }`: the one key and its value. */
export function single(value: Json): readonly [string, Json] | undefined {
  if (!isObject(value)) return undefined;
  const keys = Object.keys(value);
  const key = keys[0];
  return keys.length === 1 && key !== undefined ? [key, value[key]] : undefined;
}
