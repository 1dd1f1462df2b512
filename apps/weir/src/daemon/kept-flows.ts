import { join } from 'node:path';
import {
  decodeFlowRule,
  flowOrderKey,
  flowTreatment,
  parseFlowAction,
  printFlow,
  printFlowAction,
  treatmentActions,
} from '@weir/bgp/flowspec';
import { parseHex, printHex } from '@weir/wire/bytes';
import * as z from 'zod/mini';
import { readIfThere, writeWhole } from '../files/index.ts';
import type { ActiveFlow } from '../model/flow.ts';

const VERSION = 1;

const file = z.object({
  version: z.literal(VERSION),
  flows: z.array(
    z.object({
      family: z.enum(['ipv4 flow', 'ipv6 flow']),
      octets: z.string(),
      actions: z.array(z.string()),
      peer: z.string(),
      since: z.number(),
      path: z.optional(z.object({ mark: z.number(), table: z.number() })),
    }),
  ),
});

function pathOf(stateDirectory: string): string {
  return join(stateDirectory, 'flows.json');
}

/** The flow rules that were in force when they were last written down. What cannot be read is as if there were none; `onError` is told. */
export function readKeptFlows(stateDirectory: string, onError: (error: Error) => void): readonly ActiveFlow[] {
  try {
    const text = readIfThere(pathOf(stateDirectory));
    if (text === undefined) return [];
    return file.parse(JSON.parse(text.toString())).flows.map(({ family, octets, actions, peer, since, path }): ActiveFlow => {
      const rule = decodeFlowRule(family, parseHex(octets));
      const treatment = flowTreatment(
        actions.map((action) => {
          const parsed = parseFlowAction(action);
          if (!parsed) throw new RangeError(`not an action of a flow rule: ${action}`);
          return parsed;
        }),
        undefined,
      );
      const provenance = { kind: 'flow', peer, flow: printFlow(rule), pathId: undefined, asPath: [], since, stale: true } as const;
      return { rule, order: flowOrderKey(rule), treatment, provenance, ...(path && { path }) };
    });
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    onError(new Error(`${pathOf(stateDirectory)}: ${message}: no flow rules are taken over from before`));
    return [];
  }
}

export function writeKeptFlows(stateDirectory: string, flows: Iterable<ActiveFlow>): void {
  const kept = [...flows].map(({ rule: { family, octets }, treatment, provenance, path }) => ({
    family,
    octets: printHex(octets),
    actions: treatmentActions(treatment).map(printFlowAction),
    ...(provenance.kind === 'flow' ? { peer: provenance.peer, since: provenance.since } : { peer: '', since: 0 }),
    ...(path && { path }),
  }));
  writeWhole(pathOf(stateDirectory), JSON.stringify({ version: VERSION, flows: kept }), { mode: 0o600, survives: 'process' });
}
