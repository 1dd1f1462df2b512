import { describe, expect, test } from 'vitest';
import { DEFAULT_CUMULUS } from '../../model/cumulus.ts';
import { loadText, printAll } from './memory-files.ts';

const BGP = 'bgp: { as: 64512, router_id: 192.0.2.1 }\n';

describe('cumulus:', () => {
  test('with every default', () => {
    const loaded = loadText(`${BGP}cumulus: {}\n`);
    expect(printAll(loaded)).toBe('');
    expect(loaded.config?.cumulus).toEqual({
      ...DEFAULT_CUMULUS,
      directory: '/etc/cumulus/acl/policy.d',
      commit: [],
      commitTimeout: 60_000,
      batch: 1000,
      span: expect.objectContaining({ line: 2 }),
    });
    expect(loadText(BGP).config?.cumulus).toBeUndefined();
  });

  test('as it is given', () => {
    const loaded = loadText(
      `${BGP}cumulus: { directory: /acl, number: 7, name: edge, hooks: forward, in_interfaces: ['swp*', bond1, '*'], out_interfaces: swp1, state: true, max_rules: 9, commit: [cl-acltool, -i], commit_timeout: 2m, batch: 0 }\n`,
    );
    expect(printAll(loaded)).toBe('');
    expect(loaded.config?.cumulus).toMatchObject({
      directory: '/acl',
      number: 7,
      name: 'edge',
      hooks: ['forward'],
      inInterfaces: ['swp+', 'bond1', '+'],
      outInterfaces: ['swp1'],
      state: true,
      matches: 'iptables',
      maxRules: 9,
      commit: ['cl-acltool', '-i'],
      commitTimeout: 120_000,
      batch: 0,
    });
  });

  test.each([
    { input: 'directory: acl', want: '"acl" is no absolute path' },
    { input: 'number: 100', want: 'number must be 0-99, not 100' },
    { input: 'name: a/b', want: '"a/b" is not a name' },
    { input: 'hooks: [xdp]', want: '"xdp" is not a hook that ACL files have a chain for' },
    { input: 'in_interfaces: [swp+]', want: '"swp+" is not an interface' },
    { input: 'state: true, matches: hardware', want: 'the hardware of a switch tracks no connections' },
    { input: 'batch: soon', want: 'not a duration: "soon"' },
  ])('$input', ({ input, want }) => {
    expect(printAll(loadText(`${BGP}cumulus: { ${input} }\n`))).toContain(want);
  });

  test('rules that an ACL file cannot say are mistakes, at their places', () => {
    const policy = `default_action: allow
rules:
  - { name: old, hook: forward, expression: 'ip.ttl == 1 and ct.invalid', action: deny }
  - { name: here, hook: input, state: [invalid], action: deny }
  - { name: set, hook: forward, expression: 'ip.src in $attackers', action: deny }
`;
    const sets = 'sets: { attackers: { kind: deny, communities: ["65535:666"] } }\nfirewall: {}\npolicy: p.yaml\n';
    const said = printAll(loadText(`${BGP}${sets}cumulus: { hooks: [forward] }\n`, { 'p.yaml': policy }));
    expect(said).toMatch(/^p\.yaml:3:\d+ error\[E052\] an ACL file cannot express ct\.invalid/m);
    expect(said.match(/E052/g)).toHaveLength(1);
  });
});
