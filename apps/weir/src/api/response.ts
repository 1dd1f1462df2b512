import * as z from 'zod/mini';
import type { Response } from './schema.ts';

const responseShape = z.union([
  z.object({ id: z.int(), ok: z.literal(true), result: z.unknown(), more: z.optional(z.boolean()) }),
  z.object({
    id: z.nullable(z.int()),
    ok: z.literal(false),
    error: z.object({ code: z.string(), message: z.string(), details: z.optional(z.array(z.string())) }),
  }),
]);

/** One line from a daemon; undefined when it is not one. Never throws. */
export function parseResponse(line: string): Response | undefined {
  try {
    const parsed = responseShape.safeParse(JSON.parse(line));
    return parsed.success ? (parsed.data as Response) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
