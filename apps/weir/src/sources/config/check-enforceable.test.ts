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
  ).toBe(`policy.yaml:4:17 error[E045] nf_tables cannot express contains on iif.name, and neither can an eBPF program inside it
    expression: iif.name contains "x"
                ^^^^^^^^^^^^^^^^^^^^^
`);
});

test('E050: what an eBPF program cannot do, where the rule asks for it', () => {
  const policy = `default_action: allow
rules:
  - name: far
    hook: [tc, xdp]
    protocol: udp
    expression: >-
      udp.dstport == 7 and
      udp.payload matches "(a|b)*a(a|b){14}c"
    action: deny
`;
  const ebpf = 'ebpf: { xdp: { interfaces: [eth0, eth1] }, tc: { ingress: eth0 } }\n';
  const loaded = loadText(`bgp: { as: 64512, router_id: 192.0.2.1 }\npolicy: policy.yaml\n${ebpf}`, { 'policy.yaml': policy });
  expect(loaded.config).toBeUndefined();
  const told = (
    hook: string,
  ): string => `policy.yaml:8:7 error[E050] an eBPF program at ${hook} cannot express matches with so much to keep apart: it takes more than 4096 states
      udp.payload matches "(a|b)*a(a|b){14}c"
      ${'^'.repeat(39)}
`;
  expect(printAll(loaded)).toBe(`${told('xdp')}${told('tc')}`);
});
