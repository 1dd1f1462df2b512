import { tableWithFlows } from '../compile/nft/targets.ts';
import type { Config } from '../model/config.ts';
import type { Complete } from '../reconcile/index.ts';
import { readKeptFlows } from './kept-flows.ts';

/** Adds the flow rules that were in force last to a saved plan, which has none. `config` is what it was compiled from; `tell` says what cannot be read. */
export function withKeptFlows(stateDirectory: string, config: Config | undefined, tell: (text: string) => void): Complete {
  return (plan) => {
    if (config?.flowspec?.at !== 'prerouting') return plan.table;
    const kept = readKeptFlows(stateDirectory, ({ message }) => tell(message));
    const flows = [...kept].sort((a, b) => (a.order < b.order ? -1 : 1));
    return tableWithFlows(plan, { ...config, flows }, { now: Date.now(), asksPrograms: true });
  };
}
