import type { FlowAction } from '@weir/bgp/flowspec';
import { packetExpr as x } from '@weir/filter/ir';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CUMULUS } from '../../model/cumulus.ts';
import type { ActiveFlow, FlowConfig } from '../../model/flow.ts';
import type { HookRules } from '../../model/rule.ts';
import { DISCARD, testFlow as flow, testFlowConfig, testRedirects } from '../../model/test-flow.ts';
import { addFlows } from '../flows/index.ts';
import { testRule, writtenRule } from '../test-rule.ts';
import { type CumulusText, compileCumulus } from './index.ts';

const CONFIG = testFlowConfig({ redirects: testRedirects({ '64512:80': 100 }) });
const PACKETS: FlowAction = { kind: 'rate-packets', rate: 100, asn: 0 };
const BYTES: FlowAction = { kind: 'rate-bytes', rate: 100_000, asn: 0 };

function compile(hooks: readonly HookRules[], flows: readonly ActiveFlow[], config: Partial<FlowConfig> = {}): CumulusText {
  return compileCumulus(addFlows(hooks, flows, { ...CONFIG, ...config }, []), DEFAULT_CUMULUS, () => undefined);
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line.startsWith('-'));

describe('flow rules in an ACL file', () => {
  it('drop, limit and go on in front of everything', () => {
    const { text, refusals, leftOut } = compile(
      [],
      [
        flow('flow4 { dst 203.0.113.7/32; proto = 17; sport = 123; }', DISCARD),
        flow('flow4 { dst 203.0.113.0/24; proto = 17; }', PACKETS),
        flow('flow4 { dst 203.0.112.0/24; fragment is_fragment || first_fragment; }', DISCARD),
        flow('flow6 { dst 2001:db8::/48; label 16; }', DISCARD),
      ],
      { protectedFlows: [flow('flow4 { dst 203.0.113.9/32; }').rule] },
    );
    expect({ refusals, leftOut }).toEqual({ refusals: [], leftOut: [] });
    expect(lines(text)).toEqual([
      '-t mangle -A PREROUTING --in-interface swp+ -d 203.0.113.9/32 -j ACCEPT',
      '-t mangle -A PREROUTING --in-interface swp+ -d 203.0.113.7/32 -p udp -m multiport --sports 123 -j DROP',
      expect.stringMatching(/-d 203\.0\.113\.0\/24 -p udp -m hashlimit --hashlimit-above 100\/sec .* -j DROP$/),
      '-t mangle -A PREROUTING --in-interface swp+ -d 203.0.113.0/24 -p udp -j ACCEPT',
      ...lines(text).slice(4, -3),
      '-t mangle -A PREROUTING --in-interface swp+ -j ACCEPT',
      '-t mangle -A PREROUTING --in-interface swp+ -d 2001:db8::/48 -m u32 --u32 "0&0xfffff=0x10" -j DROP',
      '-t mangle -A PREROUTING --in-interface swp+ -j ACCEPT',
    ]);
  });

  it('that let packets through leave them to the rules at prerouting', () => {
    const policy: HookRules = {
      hook: 'prerouting',
      priority: -150,
      rules: [
        writtenRule('telnet', 'tcp.dstport == 23', { kind: 'deny' }),
        testRule('<default>', x.constant(true), { kind: 'allow' }, { stage: 'default' }),
      ],
    };
    const { text, refusals } = compile(
      [policy],
      [flow('flow4 { dst 203.0.113.0/24; }', PACKETS), flow('flow4 { dst 203.0.0.0/16; }', DISCARD)],
    );
    expect(refusals).toEqual([]);
    const v4 = lines(text.slice(0, text.indexOf('[ip6tables]')));
    expect(v4.filter((line) => line.includes('-j ACCEPT'))).toEqual(['-t mangle -A PREROUTING --in-interface swp+ -j ACCEPT']);
    // What the first has taken does not come to the second.
    expect(v4.some((line) => line.endsWith('-d 203.0.113.0/24 -j DROP'))).toBe(false);
    expect(v4.some((line) => line.endsWith('-d 203.0.112.0/24 -j DROP'))).toBe(true);
    expect(v4.at(-2)).toBe('-t mangle -A PREROUTING --in-interface swp+ -p tcp -m multiport --dports 23 -j DROP');
  });

  it('that cannot be said are left out, and the rest is written', () => {
    const { text, refusals, leftOut } = compile(
      [],
      [flow('flow4 { dst 203.0.113.0/24; }', BYTES), flow('flow4 { dst 203.0.112.0/24; }', DISCARD)],
    );
    expect(refusals).toEqual([]);
    expect(leftOut).toMatchObject([{ construct: 'a rate of bytes' }]);
    expect(text).not.toContain('203.0.113.0');
    expect(text).toContain('-d 203.0.112.0/24 -j DROP');
  });
});
