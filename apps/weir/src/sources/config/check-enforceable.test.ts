import { expect, test } from 'vitest';
import { loadText, printAll } from './memory-files.ts';

test('E045: a rule that nf_tables cannot do as it is meant', () => {
  const policy = `default_action: deny
rules:
  - name: payload
    expression: iif.name contains "x"
    action: deny
  - { name: web, protocol: tcp, destination_ports: [80], action: allow }
`;
  const loaded = loadText('bgp: { as: 64512, router_id: 192.0.2.1 }\npolicy: policy.yaml\n', { 'policy.yaml': policy });
  expect(loaded.config).toBeUndefined();
  expect(
    printAll(loaded),
  ).toBe(`policy.yaml:3:11 error[E045] nf_tables cannot express contains on iif.name, and neither can an eBPF program inside it
  - name: payload
          ^^^^^^^
`);
});
