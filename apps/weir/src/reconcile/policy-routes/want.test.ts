import type { FlowAction } from '@weir/bgp/flowspec';
import { ip4 } from '@weir/wire/inet';
import { expect, test } from 'vitest';
import type { ActiveFlow, FlowPath } from '../../model/flow.ts';
import { testFlow, testFlowConfig, testRedirects } from '../../model/test-flow.ts';
import { NO_ROUTING, ruleOf, wantedRouting } from './want.ts';

const CONFIG = testFlowConfig({ redirects: testRedirects({ '64512:80': 100, '64512:81': undefined }) });
const to = (local: number): FlowAction => ({ kind: 'redirect-rt', administrator: { kind: 'as2', asn: 64512 as never }, local });
const SCRUBBER = ip4(0xc0000209);
const PATH: FlowPath = { mark: 0x0f20_0000, table: 7900 };

const active = (text: string, action: FlowAction, path?: FlowPath): ActiveFlow => ({ ...testFlow(text, action), ...(path && { path }) });

test('each table of the configuration once a family, and only those that a rule asks for', () => {
  const flows = [
    active('flow4 { proto = 17; }', to(80)),
    active('flow4 { proto = 6; }', to(80)),
    active('flow6 { next header = 6; }', to(80)),
    active('flow4 { proto = 1; }', to(81)),
    active('flow4 { proto = 2; }', to(82)),
  ];
  expect(wantedRouting(flows, CONFIG)).toEqual({
    rules: ([4, 6] as const).map((family) => ({ family, priority: 790, mark: 0x0f10_0000, table: 100 })),
    hops: [],
  });
  expect(wantedRouting(flows, undefined)).toEqual(NO_ROUTING);
});

test('each address once', () => {
  const action: FlowAction = { kind: 'redirect-ip', address: SCRUBBER, copy: false };
  const flows = [active('flow4 { proto = 17; }', action, PATH), active('flow4 { proto = 6; }', action, PATH)];
  const { hops, rules } = wantedRouting(flows, CONFIG);
  expect({ hops, rules }).toEqual({ hops: [{ address: SCRUBBER, path: PATH }], rules: [] });
  expect(hops.map((hop) => ruleOf(hop, 790))).toEqual([{ family: 4, priority: 790, ...PATH }]);
});
