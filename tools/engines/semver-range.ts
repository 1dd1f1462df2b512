/** major, minor, patch */
export type Version = readonly [number, number, number];

interface Comparator {
  readonly operator: '>=' | '>' | '<' | '<=';
  readonly version: Version;
}

/** `1.2.3`, without pre-release or build. Undefined otherwise. */
export function parseVersion(text: string): Version | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/**
 * Whether a range as package.json's `engines` has it lets `version` in: alternatives with `||`, comparators joined by white space,
 * `^`, `~`, `x` and missing parts, hyphen ranges. Throws RangeError for what it does not understand.
 */
export function satisfies(version: Version, range: string): boolean {
  return range.split('||').some((alternative) => comparators(alternative.trim()).every((comparator) => holds(version, comparator)));
}

function comparators(text: string): readonly Comparator[] {
  const hyphen = /^(\S+)\s+-\s+(\S+)$/.exec(text);
  if (hyphen !== null) return [...expand('>=', hyphen[1] ?? ''), ...expand('<=', hyphen[2] ?? '')];
  const joined = text.replace(/(>=|<=|>|<|=|\^|~)\s+/g, '$1');
  return joined
    .split(/\s+/)
    .filter((word) => word !== '')
    .flatMap((word) => {
      const match = /^(>=|<=|>|<|=|\^|~)?v?(.+)$/.exec(word);
      return expand(match?.[1] ?? '=', match?.[2] ?? '');
    });
}

function expand(operator: string, text: string): readonly Comparator[] {
  const match = /^(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?$/.exec(text);
  if (match === null) throw new RangeError(`not a version range: ${text}`);
  const parts = match.slice(1).map((part) => (part === undefined || /[xX*]/.test(part) ? undefined : Number(part)));
  const [major, minor, patch] = parts;
  if (major === undefined) return [];
  const low: Version = [major, minor ?? 0, patch ?? 0];
  const above: Version = minor === undefined ? [major + 1, 0, 0] : [major, minor + 1, 0];
  const whole = patch !== undefined;
  switch (operator) {
    case '>=':
    case '<':
      return [{ operator, version: low }];
    case '>':
      return [whole ? { operator, version: low } : { operator: '>=', version: above }];
    case '<=':
      return [whole ? { operator, version: low } : { operator: '<', version: above }];
    case '^':
      return between(low, caretEnd(major, minor, patch));
    case '~':
      return between(low, above);
    default:
      return whole
        ? [
            { operator: '>=', version: low },
            { operator: '<=', version: low },
          ]
        : between(low, above);
  }
}

/** The leftmost number that is not zero may not change. */
function caretEnd(major: number, minor: number | undefined, patch: number | undefined): Version {
  if (major > 0 || minor === undefined) return [major + 1, 0, 0];
  if (minor > 0 || patch === undefined) return [0, minor + 1, 0];
  return [0, 0, patch + 1];
}

function between(low: Version, end: Version): readonly Comparator[] {
  return [
    { operator: '>=', version: low },
    { operator: '<', version: end },
  ];
}

function holds(version: Version, { operator, version: bound }: Comparator): boolean {
  const order = version[0] - bound[0] || version[1] - bound[1] || version[2] - bound[2];
  switch (operator) {
    case '>=':
      return order >= 0;
    case '>':
      return order > 0;
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
  }
}
