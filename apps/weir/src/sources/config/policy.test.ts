import { describe, expect, test } from 'vitest';
import { loadText, printAll } from './memory-files.ts';

const CONFIG = `bgp: { as: 64512, router_id: 192.0.2.1 }
sets:
  spammers: { kind: deny, communities: blackhole }
policy: [policy.yaml, policy.d/*.yaml]
`;
const USER = 'nft: { table: fw, ipv4: spam4 }';
const POLICY = 'default_action: deny\nlists: { web: [80, 443] }\n';
const RULES = `rules:
  - { name: spam, source_cidrs: $spammers, action: deny }
  - { name: web, destination_ports: $web, protocol: tcp, action: allow }
`;

test('a policy of several files, which share lists and know the sets', () => {
  const loaded = loadText(CONFIG, { 'policy.yaml': POLICY, 'policy.d/a.yaml': RULES });
  expect(printAll(loaded)).toBe('');
  expect(loaded.config?.policy?.rules.map((rule) => rule.text)).toEqual(['ip.src in $spammers', 'tcp.dstport in {80 443}']);
  expect(loaded.config?.policy?.files).toEqual(['policy.yaml', 'policy.d/a.yaml']);
  expect([...loaded.sources.keys()]).toEqual(['weir.yaml', 'policy.yaml', 'policy.d/a.yaml']);
});

test('without policy there is none', () => {
  const loaded = loadText(CONFIG.replace(/policy:.*/, '').replace('blackhole', `blackhole, ${USER}`));
  expect([printAll(loaded), loaded.config?.policy]).toEqual(['', undefined]);
});

describe('diagnostics, exactly as they are printed', () => {
  const rows: readonly {
    readonly name: string;
    readonly config?: string;
    readonly files: { readonly [path: string]: string };
    readonly want: string;
  }[] = [
    {
      name: 'a policy file that is not there, and a pattern that matches nothing',
      files: {},
      want: `weir.yaml:3:3 warning[W001] neither a border nor the policy uses the set "spammers"
  spammers: { kind: deny, communities: blackhole }
  ^^^^^^^^
weir.yaml:4:10 error[E001] cannot read policy.yaml: no such file
policy: [policy.yaml, policy.d/*.yaml]
         ^^^^^^^^^^^
weir.yaml:4:23 warning[W013] no file matches policy.d/*.yaml
policy: [policy.yaml, policy.d/*.yaml]
                      ^^^^^^^^^^^^^^^
`,
    },
    {
      name: 'a set that is not in the table that Weir owns',
      config: CONFIG.replace('blackhole', `blackhole, ${USER}`),
      files: { 'policy.yaml': POLICY, 'policy.d/a.yaml': `${RULES}  - { name: again, expression: 'ip.dst in $spammers', action: deny }\n` },
      want: `policy.d/a.yaml:2:33 error[E026] spammers fills a table of the user (nft), so the owned table has no such set
  - { name: spam, source_cidrs: $spammers, action: deny }
                                ^^^^^^^^^
hint: leave its nft out to use it here
policy.d/a.yaml:4:43 error[E026] spammers fills a table of the user (nft), so the owned table has no such set
  - { name: again, expression: 'ip.dst in $spammers', action: deny }
                                          ^^^^^^^^^
hint: leave its nft out to use it here
`,
    },
    {
      name: 'a list that is called like a set',
      files: { 'policy.yaml': POLICY.replace('web', 'spammers'), 'policy.d/a.yaml': RULES.replace('$web', '443') },
      want: `policy.yaml:2:10 error[E020] $spammers is already a set of the configuration
lists: { spammers: [80, 443] }
         ^^^^^^^^
`,
    },
    {
      name: 'mistakes of the configuration and of the policy at once',
      config: CONFIG.replace('64512', '0'),
      files: { 'policy.yaml': POLICY, 'policy.d/a.yaml': RULES.replace('tcp', 'tpc') },
      want: `weir.yaml:1:12 error[E011] AS 0 is not an AS that can speak BGP (RFC 7607)
bgp: { as: 0, router_id: 192.0.2.1 }
           ^
policy.d/a.yaml:3:53 error[E009] "tpc" is not a protocol
  - { name: web, destination_ports: $web, protocol: tpc, action: allow }
                                                    ^^^
hint: did you mean tcp?
`,
    },
    {
      name: 'no files',
      config: CONFIG.replace(/policy:.*/, 'policy: []'),
      files: {},
      want: `weir.yaml:3:3 warning[W001] neither a border nor the policy uses the set "spammers"
  spammers: { kind: deny, communities: blackhole }
  ^^^^^^^^
weir.yaml:4:9 error[E028] expected a list with at least one file name
policy: []
        ^^
`,
    },
  ];
  for (const row of rows) test(row.name, () => expect(printAll(loadText(row.config ?? CONFIG, row.files))).toBe(row.want));
});
