const UNITS: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest duration that a configuration may state: 365 days. */
export const MAX_DURATION: number = 365 * 86_400_000;

/** `500ms`, `90s`, `2m`, `1h30m`, `1d` in milliseconds; a bare `0` is zero. Undefined when it is none, or longer than `MAX_DURATION`. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d{1,9}(ms|[smhd]))+$/.test(text) || text.length > 40) return undefined;
  let total = 0;
  let last = Number.POSITIVE_INFINITY;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhd])/g)) {
    const size = UNITS[unit ?? ''] ?? 0;
    if (size >= last) return undefined;
    last = size;
    total += Number(count) * size;
  }
  return total <= MAX_DURATION ? total : undefined;
}

/** The shortest text that `parseDuration` reads as `ms`: `90s` is `1m30s`. */
export function printDuration(ms: number): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let out = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = UNITS[unit] ?? 1;
    const count = Math.floor(rest / size);
    if (count > 0) out += `${count}${unit}`;
    rest -= count * size;
  }
  return out;
}
