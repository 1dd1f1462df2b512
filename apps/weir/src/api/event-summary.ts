import type { Event } from '../model/event.ts';
import { describeEvent } from '../observe/describe-event.ts';
import type { EventSummary } from './answers.ts';

/** An event as the API gives it. */
export function summarizeEvent(event: Event): EventSummary {
  const { level, message, fields } = describeEvent(event);
  const { event: kind, ...rest } = fields;
  return { at: new Date(event.at).toISOString(), kind: String(kind), level, message, fields: rest };
}
