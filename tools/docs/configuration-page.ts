import type { KeyDoc, ShapeDoc } from '../../apps/weir/src/sources/config/index.ts';

/** docs/configuration.md: every key of the configuration file with its type, default and meaning, then the codes of diagnostics. */
export function printConfigurationPage(file: ShapeDoc, codes: { readonly [code: string]: string }): string {
  const out = [
    '# Configuration',
    '',
    'One YAML file, by default `/etc/weir/weir.yaml`. `weir check FILE` reports every mistake in it, with its place; `weir run` and `weir reload` take a file only when it has none.',
    'This page is written from the schema by `npm run docs`.',
    '',
    'A duration is a number with a unit: `500ms`, `90s`, `2m`, `1h30m`, `1d`. A community pattern is `AS:VALUE`, `AS:A:B` (large), `rt:ADMIN:VALUE`, `ro:ADMIN:VALUE` or `generic:HIGH:LOW` (extended), or a well-known name such as `blackhole`; `*` stands for any number.',
    'An include joins `sets`, `bgp.peers`, `firewall.borders`, `protected` and `tenants` of several files. Files are at most 1 MiB each, 4 MiB together and 256 in number, with at most 200,000 values after aliases are followed.',
    '',
    '```yaml',
    EXAMPLE.trim(),
    '```',
    '',
  ];
  out.push(...keyTables(file));
  out.push('## Diagnostics', '', 'Codes are stable. `W` codes are warnings: the file is taken.', '', '| code | |', '|---|---|');
  for (const [code, meaning] of Object.entries(codes)) out.push(`| ${code} | ${meaning} |`);
  return `${out.join('\n')}\n`;
}

/** A table for each mapping of a file, the outer ones first. */
export function keyTables(file: ShapeDoc): readonly string[] {
  const out: string[] = [];
  const sections: { readonly path: string; readonly doc: ShapeDoc }[] = [{ path: '', doc: file }];
  for (let section = sections.shift(); section; section = sections.shift()) {
    const keys = section.doc.keys ?? [];
    out.push(`## ${section.path === '' ? 'Top level' : `\`${section.path}\``}`, '', '| key | type | default | |', '|---|---|---|---|');
    for (const key of keys) out.push(row(key));
    out.push('');
    for (const key of keys) {
      const inner = tableInside(key.shape);
      if (inner) sections.push({ path: joinPath(section.path, key), doc: inner });
    }
  }
  return out;
}

function row(key: KeyDoc): string {
  const inner = tableInside(key.shape);
  const type = inner
    ? key.shape.type === 'mapping by name'
      ? 'mapping by name'
      : key.shape.inner
        ? 'list of mappings'
        : 'mapping'
    : key.shape.type;
  const preset = key.required
    ? '**required**'
    : key.default === undefined
      ? ''
      : /^[a-z]+ (of|by|in) |^chosen|^every|^anywhere|^the |^a set|^any [a-z]|^IPv|^none$|^never$|^no |^off$/.test(key.default)
        ? key.default
        : `\`${key.default}\``;
  return `| \`${key.key}\` | ${type} | ${preset} | ${key.summary} |`.replaceAll('||', '| |');
}

function tableInside(shape: ShapeDoc): ShapeDoc | undefined {
  if (shape.keys) return shape;
  return shape.inner ? tableInside(shape.inner) : undefined;
}

function joinPath(path: string, key: KeyDoc): string {
  const inner = key.shape.keys ? key.key : key.shape.type === 'mapping by name' ? `${key.key}.NAME` : `${key.key}[]`;
  return path === '' ? inner : `${path}.${inner}`;
}

const EXAMPLE = `
bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
    - { name: core, address: 127.0.0.1, as: 64512, families: [ipv4 unicast, ipv6 unicast], hold_time: 90 }
sets:
  web_allowed:
    kind: allow
    communities: ["64512:80"]
    guard: { prefixes: [203.0.113.0/24, "2001:db8::/32"], max_members: 10000, peers: [core] }
    on_session_loss: hold 2m
    on_withdraw: keep
    nft: { family: inet, table: core_fw, ipv4: web_allowed_v4, ipv6: web_allowed_v6 }
`;
