import { ApiError, FORMAT_VERSION, type GenerationAnswer, type HistoryAnswer } from '../api/index.ts';
import type { Texts } from '../sources/config/index.ts';
import { type GenerationRecord, type GenerationStore, HistoryError } from './generations/index.ts';
import { iso } from './summaries.ts';

/** What was in force, and what waits. */
export function historyAnswer(store: GenerationStore): HistoryAnswer {
  const { inForce, pending, records } = store.index;
  return {
    format_version: FORMAT_VERSION,
    ...(inForce === undefined ? {} : { in_force: inForce }),
    ...(pending ? { pending: { generation: pending.generation, previous: pending.previous, confirm_before: iso(pending.deadline) } } : {}),
    generations: records.map(({ at, ...rest }) => ({ ...rest, at: iso(at) })),
  };
}

/** The texts of a generation; of the one in force without a number. Throws ApiError. */
export function generationAnswer(store: GenerationStore, number: number | undefined): GenerationAnswer {
  const record = number === undefined ? store.current : store.find(number);
  if (!record) throw new ApiError('not-found', number === undefined ? 'no generation is recorded' : `there is no generation ${number}`);
  return {
    format_version: FORMAT_VERSION,
    generation: record.number,
    digest: record.digest,
    file: record.file,
    texts: Object.fromEntries(textsOf(store, record)),
  };
}

/** Throws ApiError when they are not kept any more. */
export function textsOf(store: GenerationStore, record: GenerationRecord): Texts {
  try {
    return store.texts(record.number);
  } catch (error) {
    if (error instanceof HistoryError) throw new ApiError('not-found', error.message);
    throw error;
  }
}
