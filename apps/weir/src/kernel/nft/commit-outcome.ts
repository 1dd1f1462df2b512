import type { CommitResult } from '@weir/netlink/socket';
import type { Outcome, Refusal } from '../backend.ts';

/** What became of a transaction, with the operations that the kernel refused. */
export function outcomeOf(result: CommitResult<number>): Outcome {
  switch (result.kind) {
    case 'committed':
      return { kind: 'committed' };
    case 'unknown':
      return { kind: 'unknown' };
    case 'stale':
      return {
        kind: 'refused',
        refusals: [{ operation: undefined, element: undefined, code: 'ERESTART', message: 'the ruleset has changed' }],
      };
    case 'refused':
      return {
        kind: 'refused',
        refusals: result.errors.map((e): Refusal => ({ operation: e.tag, element: e.item, code: e.code, message: e.message })),
      };
  }
}
