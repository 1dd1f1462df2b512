import * as z from 'zod/mini';

/** What `weir plan --out` writes: what was compared, and what came of it. */
export interface PlanFile {
  readonly format_version: 1;
  readonly made: string;
  /** Digest of what was in force. */
  readonly base: string;
  /** Digest of the files. */
  readonly digest: string;
  readonly file: string;
  readonly changes: readonly string[];
  readonly rules: readonly string[];
  readonly behaviour: readonly string[];
  /** What becomes of the flow rules that peers announce now; absent where nothing does. */
  readonly flows?: readonly string[] | undefined;
}

const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const shape = z.object({
  format_version: z.literal(1),
  made: z.string(),
  base: digest,
  digest,
  file: z.string(),
  changes: z.array(z.string()),
  rules: z.array(z.string()),
  behaviour: z.array(z.string()),
  flows: z.optional(z.array(z.string())),
});

/** Undefined when the text is no plan. Never throws. */
export function parsePlanFile(text: string): PlanFile | undefined {
  try {
    const parsed = shape.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
