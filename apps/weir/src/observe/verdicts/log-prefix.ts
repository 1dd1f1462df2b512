import { EVENT_VERDICTS, type EventVerdict } from '../../model/verdict-event.ts';

/** What the prefix of a logged packet says. */
export interface LogPrefix {
  readonly hook: string;
  /** As the prefix has it: shortened with `...` where the kernel keeps no more, and `$` is `_`. */
  readonly ref: string;
  readonly verdict: EventVerdict;
  readonly audit: boolean;
}

/** `weir input web-1 audit deny: `; undefined for prefixes that rules of Weir do not have. */
export function parseLogPrefix(prefix: string): LogPrefix | undefined {
  const match = /^weir (\S+) (.+?)( audit)? ([a-z]+): $/s.exec(prefix);
  const verdict = EVENT_VERDICTS.find((one) => one === match?.[4]);
  if (!match || verdict === undefined) return undefined;
  return { hook: match[1] ?? '', ref: match[2] ?? '', verdict, audit: match[3] !== undefined };
}
