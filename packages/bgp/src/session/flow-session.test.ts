import { afterEach, describe, expect, it } from 'vitest';
import { encodeFlowActions, type FlowRule, flowActions, parseFlow, printFlow, printFlowAction } from '../codec/flowspec/index.ts';
import { flowRun } from '../codec/index.ts';
import { StaticRoutes } from './static-routes.ts';
import { pair, type TestSpeaker } from './test-session.ts';

let open: TestSpeaker[] = [];

afterEach(async () => {
  await Promise.all(open.map(({ speaker }) => speaker.close()));
  open = [];
});

function rule(text: string): FlowRule {
  const result = parseFlow(text);
  if (!result.ok) throw new Error(result.problem.message);
  return result.rule;
}

const FLOWS = ['ipv4 flow', 'ipv6 flow'] as const;
const one = rule('flow4 { dst 203.0.113.0/24; proto 17; sport 123; }');
const other = rule('flow6 { dst 2001:db8::/32; next header 58; }');

describe('flow rules over a session', () => {
  it('families are agreed on, with add-path, End-of-RIB and graceful restart; rules and withdrawals arrive', async () => {
    const addPath = { receive: FLOWS, send: FLOWS };
    const { a, b } = await pair({ a: { families: FLOWS, addPath }, b: { families: FLOWS, addPath } });
    open.push(a, b);
    const { negotiated } = await b.until('established');
    await a.until('established');
    expect(negotiated.families).toEqual(FLOWS);
    expect(negotiated.receive.addPath).toEqual(FLOWS);
    expect(negotiated.gracefulRestart?.families.map((f) => f.family)).toEqual(FLOWS);
    await b.until('update', (e) => e.update.endOfRib === 'ipv6 flow');
    expect(b.all('update').map((e) => e.update.endOfRib)).toEqual(FLOWS);

    const attributes = {
      origin: 'igp',
      asPath: [{ kind: 'sequence', asns: [a.speaker.config.localAs] }],
      ...encodeFlowActions([{ kind: 'rate-bytes', rate: 0, asn: 0 }]),
    } as const;
    const announceFlows = FLOWS.map((family) => ({
      nextHop: undefined,
      run: { family, routes: [{ rule: family === 'ipv4 flow' ? one : other, pathId: 7 }] },
    }));
    expect(a.speaker.sendUpdate('b', { attributes, announceFlows })).toBe('queued');
    const four = await b.until('update', (e) => e.update.announceFlows[0]?.run.family === 'ipv4 flow');
    const six = await b.until('update', (e) => e.update.announceFlows[0]?.run.family === 'ipv6 flow');
    const routes = [four, six].flatMap((e) => e.update.announceFlows[0]?.run.routes ?? []);
    expect(routes.map((r) => [printFlow(r.rule), r.rule.key, r.pathId])).toEqual([
      ['flow4 { dst 203.0.113.0/24; proto 17; sport 123; }', one.key, 7],
      ['flow6 { dst 2001:db8::/32; next header 58; }', other.key, 7],
    ]);
    expect(flowActions(four.update.attributes).map(printFlowAction)).toEqual(['discard']);

    a.speaker.sendUpdate('b', { withdrawFlows: [flowRun('ipv4 flow', [one])] });
    const { update } = await b.until('update', (e) => e.update.withdrawFlows.length > 0);
    expect(update.withdrawFlows[0]?.routes.map((r) => r.rule.key)).toEqual([one.key]);
    expect(update.attributes).toEqual({});
    await a.speaker.close({ silent: true });
    expect((await b.until('down')).retain).toEqual(FLOWS);
  });

  it('a speaker that has only prefixes to tell ends these families at once', async () => {
    const announcer = new StaticRoutes();
    const { a, b } = await pair({
      a: { families: ['ipv4 unicast', 'ipv4 flow'] },
      b: { families: ['ipv4 unicast', 'ipv4 flow'] },
      aSpeaker: { announcer },
    });
    open.push(a, b);
    await b.until('update', (e) => e.update.endOfRib === 'ipv4 flow');
    expect(b.all('update').map((e) => e.update.endOfRib)).toEqual(['ipv4 unicast', 'ipv4 flow']);
  });
});
