// Configuration files: whatever the text, loading gives a configuration or diagnostics, never both, and never throws.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Files, loadConfig, printDiagnostic } from '../apps/weir/src/sources/config/index.ts';
import type { FuzzTarget } from './fuzz.ts';

const examples = join(import.meta.dirname, '../examples');

const OTHERS = [
  'include: [a.yaml, "*.yaml"]\nbgp: { as: 4200000000, router_id: 192.0.2.1, listen: ["[2001:db8::1]:179"], peers: [&p { name: a, address: "fe80::1", interface: eth0, as: 64513, max_prefixes: { limit: 9, warn_at: 50% } }, *p] }\n',
  'sets:\n  web: { kind: allow, communities: ["rt:64512:*", "1:2:3", blackhole, "generic:0x1:*"], guard: { lengths: { ipv4: 24..32, ipv6: [48, 64] }, churn: { rate: 1, burst: 2 } }, on_session_loss: hold 1h30m }\nfirewall: { base: { loopback: no }, borders: [{ name: x, from: [eth*], to: local, deny: bad, allow: [{ set: web, ports: [80, 90-99] }] }] }\n',
  'protected: [192.0.2.1/24, ::/0]\nconvergence: { settle: 30, startup_hold: 5m }\nsocket: /run/weir.sock\nnetns: "x\\e[0m"\n',
];

export const target: FuzzTarget = {
  name: 'config',
  corpus() {
    const files = existsSync(examples)
      ? readdirSync(examples, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'))
      : [];
    return [...files.map((name) => readFileSync(join(examples, name))), ...OTHERS.map((text) => Buffer.from(text))];
  },
  run(input) {
    const files: Files = {
      read: (path, max) =>
        path === 'weir.yaml' || path === 'a.yaml' ? { bytes: input.subarray(0, max + 1), mode: 0o100600 } : { error: 'no such file' },
      names: () => ['a.yaml', 'b.txt'],
    };
    const { config, diagnostics, sources } = loadConfig('weir.yaml', files);
    const errors = diagnostics.filter((d) => d.severity === 'error');
    if ((config === undefined) !== errors.length > 0)
      throw new Error(`${config ? 'a configuration' : 'none'} with ${errors.length} errors`);
    for (const d of diagnostics) {
      if (d.span.line < 1 || d.span.column < 1 || d.span.length < 1) throw new Error(`no place: ${JSON.stringify(d)}`);
      if (/[^\n\P{Cc}]/u.test(printDiagnostic(d, sources))) throw new Error(`control characters reach the terminal: ${JSON.stringify(d)}`);
    }
  },
};
