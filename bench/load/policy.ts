// Policies as long as one likes, and packets that their rules are about.
import { ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4 } from '@weir/wire/inet';
import { testRule } from '../../apps/weir/src/compile/test-rule.ts';
import type { HookRules, Rule } from '../../apps/weir/src/model/rule.ts';

/** The address and port that rule `i` is about: networks of 1 to 16 addresses, apart from each other. */
export function subject(i: number): {
  readonly source: number;
  readonly bits: number;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
} {
  const bits = (i * 7) % 5;
  return { source: (0x0a000000 + i * 16) >>> 0, bits, port: 1 + ((i * 37) % 2000), protocol: i % 3 === 0 ? 'udp' : 'tcp' };
}

/** `count` rules and the default, as a policy of a hook: by source, protocol and port, every tenth for any source. */
export function policy(count: number, hook: HookRules['hook'] = 'prerouting', odd = -1): HookRules {
  const rules = Array.from({ length: count }, (_, i): Rule => {
    const { source, bits, port, protocol } = subject(i);
    const ports = x.int(`${protocol}.dstport`, rangeSet([{ first: port, last: i === odd ? port + 1 : port }]));
    const sources = x.ip('ip.src', ipSet([{ first: ip4(source), last: ip4(source + 2 ** bits - 1) }]));
    const expression =
      i % 10 === 9 ? x.and([ports, x.ip('ip.dst', ipSet([{ first: ip4(0xc6336400 + (i % 256)) }]))]) : x.and([sources, ports]);
    return testRule(`rule-${i}`, expression, { kind: i % 2 === 0 ? 'deny' : 'allow' });
  });
  return { hook, priority: 0, rules: [...rules, testRule('default', x.constant(true), { kind: 'deny' })] };
}
